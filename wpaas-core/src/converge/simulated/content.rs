//! What a site is made of, whatever way it went: to compare it with another.

use super::place::Place;
use super::thing::Thing;
use super::world::World;
use crate::converge::{FileContent, Part};
use crate::id::SiteId;

impl World {
    /// What a site's parts are made of and were told, a line each, in order: fingerprints, states, files, and the
    /// version of admin's password where WordPress runs. Slots of WordPress nodes have no identity, and are not told
    /// apart.
    #[must_use]
    pub fn content(&self, site: SiteId) -> Vec<String> {
        let mut lines: Vec<String> = self.place_of(site).map(Place::content).unwrap_or_default();
        lines.sort();
        lines
    }

    /// A world in which nothing of this site is there but its network, so that it comes up at the same address.
    #[must_use]
    pub(crate) fn anew(&self, site: SiteId) -> Self {
        let mut world = Self::default();
        let network = self.place_of(site).and_then(|place| place.objects.get(&Part::Network));
        if let Some(network) = network {
            world.place(site).objects.insert(Part::Network, network.clone());
        }
        world
    }
}

impl Place {
    fn content(&self) -> Vec<String> {
        let runs_wordpress = self.objects.values().any(|thing| thing.up);
        let admin = runs_wordpress.then(|| format!("admin's password: {}", self.tables));
        self.objects.values().flat_map(Thing::content).chain(admin).collect()
    }
}

impl Thing {
    fn content(&self) -> Vec<String> {
        let part = without_slot(self.object.part);
        let made = format!("{part}: {:?} {:?}", self.object.state, self.object.fingerprint);
        let files = self.spec.iter().flat_map(|spec| &spec.files).filter_map(|file| match &file.content {
            FileContent::Text(text) => Some((&file.path, text)),
            FileContent::Secret(_) => None,
        });
        let told = files.flat_map(|(path, text)| {
            text.lines().filter_map(clean).map(move |line| format!("{path}: {line}")).collect::<Vec<_>>()
        });
        told.map(|line| format!("{part}: {line}")).chain([made]).collect()
    }
}

/// A line without what depends on the way: slots, and what follows from them; the password that a node was told, as the
/// database has it.
fn clean(line: &str) -> Option<String> {
    match line.split_once('=') {
        Some(("revision" | "admin_version", _)) => None,
        Some((key, value)) => {
            let key = key.parse().map_or_else(|_| key.to_owned(), without_slot);
            Some(format!("{key}={value}"))
        }
        None => Some(line.to_owned()),
    }
}

fn without_slot(part: Part) -> String {
    match part {
        Part::Wordpress(_) if part.is_apart() => "wordpress apart".into(),
        Part::Wordpress(_) => "wordpress".into(),
        part => part.to_string(),
    }
}
