//! From what AWS lists to the objects of the planner. Pure.

use std::net::IpAddr;

use wpaas_core::converge::{Entry, Lead, Object, ObjectId, ObjectState, Part};
use wpaas_core::id::SiteId;

use crate::cloud::{Cidr, Group, Instance, InstanceState, Peer, Rule, VolumeState};
use crate::listing::{Found, Listing};
use crate::tag::Mark;

/// The groups of a site: all its nodes are in the first, gateways in the second too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Nodes,
    Gateways,
}

impl Side {
    pub(crate) const ALL: [Self; 2] = [Self::Nodes, Self::Gateways];

    /// The group's name, which is its own in the VPC: so it can't be made twice.
    pub(crate) fn name(self, installation: &str, site: SiteId) -> String {
        let kind = match self {
            Self::Nodes => "nodes",
            Self::Gateways => "gateways",
        };
        format!("wpaas-{installation}-{site}-{kind}")
    }

    /// What may come in: from each other, everything; to gateways from everybody, HTTP.
    pub(crate) fn rules(self, id: &str) -> Vec<Rule> {
        match self {
            Self::Nodes => vec![Rule { port: None, from: Peer::Group(id.to_owned()) }],
            Self::Gateways => {
                [80, 443].map(|port| Rule { port: Some(port), from: Peer::Net(Cidr::ALL) }).to_vec()
            }
        }
    }

    /// What is missing of that.
    pub(crate) fn missing(self, group: &Group) -> Vec<Rule> {
        let mut rules = self.rules(&group.id);
        rules.retain(|rule| !group.rules.contains(rule));
        rules
    }

    pub(crate) fn of<'l>(
        self,
        listing: &'l Listing,
        installation: &str,
        site: SiteId,
    ) -> Option<&'l Found<Group>> {
        let name = self.name(installation, site);
        listing.groups.iter().find(|found| found.tag.site == site && found.it.name == name)
    }
}

/// Everything in a listing as the planner knows it.
pub(crate) fn objects(listing: &Listing, installation: &str) -> Vec<(SiteId, Object)> {
    let mut objects = Vec::new();
    let mut sites: Vec<SiteId> = listing.groups.iter().map(|found| found.tag.site).collect();
    sites.extend(listing.addresses.iter().map(|found| found.tag.site));
    sites.sort_unstable();
    sites.dedup();
    objects.extend(sites.into_iter().filter_map(|site| Some((site, network(listing, installation, site)?))));
    let volumes = listing.volumes.iter().filter(|found| matches!(found.tag.part, Part::DatabaseVolume(_)));
    objects.extend(volumes.map(|found| {
        let state = match found.it.state {
            VolumeState::Creating | VolumeState::Available | VolumeState::InUse => ObjectState::Ready,
            VolumeState::Deleting => ObjectState::Removing,
            VolumeState::Error => ObjectState::Broken,
        };
        (found.tag.site, object(found.tag.part, &found.it.id, found.tag.mark, state))
    }));
    let mut notes: Vec<_> = listing.notes.iter().map(|note| (note.site, note.part)).collect();
    notes.sort_unstable();
    notes.dedup();
    objects.extend(notes.into_iter().filter_map(|(site, part)| {
        let note = listing.note(site, part)?;
        let state = if note.whole { ObjectState::Ready } else { ObjectState::Incomplete };
        Some((site, object(part, &note.id(), note.mark, state)))
    }));
    let live = listing.instances.iter().filter(|found| found.it.state != InstanceState::Terminated);
    objects.extend(live.map(|found| (found.tag.site, node(listing, found))));
    objects
}

/// What every object has.
pub(crate) fn object(part: Part, id: &str, mark: Mark, state: ObjectState) -> Object {
    Object {
        part,
        id: ObjectId::new(id),
        fingerprint: None,
        generation: mark.0,
        epoch: mark.1,
        state,
        entry: None,
    }
}

/// The pair of groups and the address; whole when all of it is there, once.
pub(crate) fn network(listing: &Listing, installation: &str, site: SiteId) -> Option<Object> {
    let groups = Side::ALL.map(|side| side.of(listing, installation, site).map(|found| (side, found)));
    let addresses: Vec<_> = listing.addresses.iter().filter(|found| found.tag.site == site).collect();
    let whole = addresses.len() == 1
        && groups.iter().all(|group| group.is_some_and(|(side, found)| side.missing(&found.it).is_empty()));
    let state = if whole { ObjectState::Ready } else { ObjectState::Incomplete };
    let of_groups = groups.iter().flatten().map(|(_, found)| (found.it.id.as_str(), found.tag.mark));
    let of_addresses = addresses.iter().map(|found| (found.it.allocation.as_str(), found.tag.mark));
    let (id, mark) = of_groups.chain(of_addresses).next()?;
    let lead = addresses.first().map_or(Lead::Nowhere, |found| {
        found.it.instance.as_deref().map_or(Lead::Nowhere, |id| Lead::To(ObjectId::new(id)))
    });
    let address = addresses.first().filter(|_| whole).map(|found| IpAddr::V4(found.it.ip));
    let entry = Entry { address, local_port: None, lead: Some(Box::new(lead)) };
    Some(Object { entry: Some(Box::new(entry)), ..object(Part::Network, id, mark, state) })
}

/// A node that has no files was left half made. One whose volume is not attached does not run: starting it
/// attaches the volume.
pub(crate) fn node(listing: &Listing, found: &Found<Instance>) -> Object {
    let state = match found.it.state {
        InstanceState::ShuttingDown | InstanceState::Terminated => ObjectState::Removing,
        _ if !listing.filed.contains(&found.it.id) => ObjectState::Incomplete,
        InstanceState::Stopping | InstanceState::Stopped => ObjectState::Stopped,
        InstanceState::Running if lacks_its_volume(listing, found) => ObjectState::Stopped,
        InstanceState::Pending | InstanceState::Running => ObjectState::Ready,
    };
    let node = object(found.tag.part, &found.it.id, found.tag.mark, state);
    Object { fingerprint: found.tag.fingerprint, ..node }
}

/// Whether it is a database node to which the volume of its number, which is there, is not attached.
pub(crate) fn lacks_its_volume(listing: &Listing, found: &Found<Instance>) -> bool {
    let Part::Database(n) = found.tag.part else { return false };
    let volume = listing.volume(found.tag.site, Part::DatabaseVolume(n));
    volume.is_some_and(|volume| !found.it.volumes.contains(&volume.it.id))
}
