use std::collections::BTreeMap;

use super::Objects;
use crate::converge::{
    BootId, DatabaseOrder, DatabasePhase, DatabaseReport, FileContent, Fingerprint, GatewayReport, NodeFile,
    NodeReport, Object, ObjectId, ObjectState, Part, Position, Report, ServerState, Step, WordpressPhase,
    WordpressReport,
};
use crate::id::SiteId;

/// Everything that "runs".
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) objects: Objects,
    /// What each running node said last.
    pub(super) said: BTreeMap<(SiteId, Part), Report>,
    made: u64,
}

/// One object, with what only it knows.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) object: Object,
    boots: u64,
    files: Vec<NodeFile>,
    /// Of a database node: what it was ordered in this boot.
    joined: bool,
    /// Of a database volume: the history on it, and its last founding.
    data: Option<Position>,
    founding: u64,
    /// Of an uploads volume, which stands for the site's tables: the admin's password.
    admin_version: u64,
}

impl Thing {
    pub(super) fn boot(&mut self) {
        self.boots += 1;
        self.joined = false;
    }

    /// Puts these files in the place of those of the same names.
    pub(super) fn give(&mut self, files: &[NodeFile]) {
        self.files.retain(|old| files.iter().all(|new| new.path != old.path));
        self.files.extend_from_slice(files);
    }

    fn boot_id(&self) -> BootId {
        let text = format!("{}b{}", self.object.id, self.boots);
        BootId::new(&text).unwrap_or_else(|| unreachable!("made of letters and digits"))
    }

    fn runs(&self) -> bool {
        self.object.state == ObjectState::Ready
    }

    /// The value of a key in one of its text files.
    fn value(&self, file: &str, key: &str) -> Option<&str> {
        let FileContent::Text(text) = &self.files.iter().find(|f| f.path == file)?.content else {
            return None;
        };
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }
}

impl World {
    /// Makes an object, or finds the one that is there.
    pub(super) fn make(
        &mut self,
        step: &Step,
        fingerprint: Option<Fingerprint>,
        files: Vec<NodeFile>,
    ) -> &mut Thing {
        self.made += 1;
        let made = self.made;
        self.objects.entry((step.site, step.part)).or_insert_with(|| Thing {
            object: Object {
                part: step.part,
                id: ObjectId::new(&format!("sim{made}")),
                fingerprint,
                generation: step.generation,
                epoch: step.epoch,
                state: ObjectState::Ready,
                address: None,
                local_port: None,
            },
            boots: 0,
            files,
            joined: false,
            data: None,
            founding: 0,
            admin_version: 0,
        })
    }

    pub(super) fn kill(&mut self, site: SiteId, part: Part) -> bool {
        let thing = self.objects.get_mut(&(site, part)).filter(|thing| part.is_node() && thing.runs());
        thing.map(|thing| thing.object.state = ObjectState::Stopped).is_some()
    }

    /// A database node obeys an order for this boot, as `node/README.md` says.
    pub(super) fn order(&mut self, key: (SiteId, Part), boot: &BootId, order: DatabaseOrder) {
        let (site, Part::Database(n)) = key else { return };
        let Some(node) = self.objects.get_mut(&key).filter(|node| node.runs() && node.boot_id() == *boot)
        else {
            return;
        };
        match order {
            DatabaseOrder::Join { number } => {
                node.joined = true;
                if let Some(volume) = self.objects.get_mut(&(site, Part::DatabaseVolume(n))) {
                    volume.founding = volume.founding.max(number);
                }
            }
            DatabaseOrder::Found { number } => {
                node.joined = true;
                let Some(volume) = self.objects.get_mut(&(site, Part::DatabaseVolume(n))) else { return };
                if number > volume.founding {
                    volume.founding = number;
                    volume.data.get_or_insert(Position { uuid: *site.uuid(), seqno: 0 });
                }
            }
        }
    }

    /// Everything of a site takes effect; returns what its nodes now say that they did not say before.
    pub(super) fn settle(&mut self, site: SiteId) -> Vec<Report> {
        self.replicate(site);
        let new: Vec<_> = self.parts(site).filter_map(|part| self.report(site, part)).collect();
        self.said.retain(|(at, part), _| *at != site || new.iter().any(|report| report.part == *part));
        let changed = |report: &Report| self.said.get(&(site, report.part)) != Some(report);
        let changed: Vec<_> = new.iter().filter(|report| changed(report)).cloned().collect();
        self.said.extend(new.into_iter().map(|report| ((site, report.part), report)));
        changed
    }

    fn parts(&self, site: SiteId) -> impl Iterator<Item = Part> {
        self.objects.range((site, Part::Network)..=(site, Part::Gateway(u8::MAX))).map(|((_, part), _)| *part)
    }

    fn node(&self, site: SiteId, part: Part) -> Option<&Thing> {
        self.objects.get(&(site, part)).filter(|thing| thing.runs())
    }

    /// The data of a node that runs in a component.
    fn component(&self, site: SiteId) -> Option<Position> {
        (0..3).find_map(|n| {
            self.node(site, Part::Database(n)).filter(|node| node.joined)?;
            self.objects.get(&(site, Part::DatabaseVolume(n)))?.data.clone()
        })
    }

    /// Joined nodes get the component's data; the tables get the admin's password.
    fn replicate(&mut self, site: SiteId) {
        let Some(mut data) = self.component(site) else { return };
        data.seqno += 1;
        for n in 0..3 {
            if self.node(site, Part::Database(n)).is_some_and(|node| node.joined)
                && let Some(volume) = self.objects.get_mut(&(site, Part::DatabaseVolume(n)))
            {
                volume.data = Some(data.clone());
            }
        }
        let wanted = |thing: &Thing| thing.value("wordpress.conf", "admin_version")?.parse().ok();
        let admin: Option<u64> = self
            .objects
            .range((site, Part::Wordpress(0))..=(site, Part::Wordpress(u8::MAX)))
            .filter_map(|(_, thing)| wanted(thing))
            .max();
        if let (Some(tables), Some(admin)) = (self.objects.get_mut(&(site, Part::UploadsVolume)), admin) {
            tables.admin_version = tables.admin_version.max(admin);
        }
    }

    fn report(&self, site: SiteId, part: Part) -> Option<Report> {
        let thing = self.node(site, part)?;
        let node = match part {
            Part::Database(n) => NodeReport::Database(self.database(site, n, thing)?),
            Part::Wordpress(_) => NodeReport::Wordpress(self.wordpress(site, thing)),
            Part::Gateway(_) => NodeReport::Gateway(self.gateway(site, thing)?),
            _ => return None,
        };
        Some(Report { site, part, boot: thing.boot_id(), node })
    }

    fn database(&self, site: SiteId, n: u8, node: &Thing) -> Option<DatabaseReport> {
        let volume = self.objects.get(&(site, Part::DatabaseVolume(n)))?;
        let runs = node.joined && self.component(site).is_some();
        let members =
            (0..3).filter(|n| self.node(site, Part::Database(*n)).is_some_and(|node| node.joined)).count();
        Some(DatabaseReport {
            phase: if runs { DatabasePhase::Running } else { DatabasePhase::Waiting },
            empty: volume.data.is_none(),
            position: if runs { None } else { volume.data.clone() },
            founding: volume.founding,
            state: runs.then_some(4),
            primary: runs,
            size: if runs { u8::try_from(members).unwrap_or(u8::MAX) } else { 0 },
            error: None,
        })
    }

    fn wordpress(&self, site: SiteId, node: &Thing) -> WordpressReport {
        let database = self.component(site).is_some() && self.node(site, Part::Gateway(0)).is_some();
        WordpressReport {
            phase: if database { WordpressPhase::Serving } else { WordpressPhase::Waiting },
            release: node.value("wordpress.conf", "release").unwrap_or_default().to_owned(),
            admin_version: self
                .objects
                .get(&(site, Part::UploadsVolume))
                .map_or(0, |tables| tables.admin_version),
            version: Some("simulated".into()),
            schema: None,
            error: None,
        }
    }

    fn gateway(&self, site: SiteId, node: &Thing) -> Option<GatewayReport> {
        let FileContent::Text(routes) = &node.files.iter().find(|file| file.path == "routes")?.content else {
            return None;
        };
        let servers = routes.lines().filter_map(|line| {
            let (server, state) = line.split_once('=')?;
            let part: Part = server.parse().ok()?;
            let up = match part {
                Part::Database(_) => self.node(site, part).is_some_and(|node| node.joined),
                _ => self.node(site, part).is_some() && self.component(site).is_some(),
            };
            let state = match (state, up) {
                ("drain", _) => ServerState::Drain,
                (_, true) => ServerState::Up,
                (_, false) => ServerState::Down,
            };
            Some((server.to_owned(), state))
        });
        let servers = servers.collect();
        Some(GatewayReport {
            revision: node.value("routes", "revision").map(str::to_owned),
            servers,
            error: None,
        })
    }
}
