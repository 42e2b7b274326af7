//! What is remembered between calls. It saves work and may be lost at any time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use wpaas_core::converge::{ObjectId, Run, Scope};
use wpaas_core::id::SiteId;

use crate::label::{Labels, Mark};
use crate::listing::Listing;

#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    /// The newest mark on any part of each site that has one.
    marks: HashMap<SiteId, Mark>,
    /// Containers that are being stopped in order to be removed.
    leaving: HashSet<ObjectId>,
    /// Containers whose host side is not what they were made with.
    drifted: HashSet<ObjectId>,
    /// Containers that an event says were changed.
    suspects: BTreeSet<String>,
    /// Containers of each site that an event says have ended, and when, until they are looked at.
    ended: HashMap<SiteId, BTreeMap<String, Option<Timestamp>>>,
    /// When containers ran, as an inspection told last.
    runs: HashMap<String, Run>,
    /// The last container of the rotation.
    cursor: String,
}

impl Memory {
    /// Takes in what a listing showed.
    pub(crate) fn learn(&self, scope: &Scope, listing: &Listing) {
        let mut facts = self.facts();
        match scope {
            Scope::Fleet => {
                facts.marks.clear();
                let there: HashSet<&str> = listing.containers.iter().map(|found| found.id.as_str()).collect();
                let known = std::mem::take(&mut facts.drifted);
                let nodes = listing.containers.iter().map(|found| ObjectId::new(&found.id));
                facts.drifted = nodes.filter(|id| known.contains(id)).collect();
                facts.runs.retain(|id, _| there.contains(id.as_str()));
            }
            Scope::Site(site) => {
                facts.marks.remove(site);
            }
        }
        for labels in listing.labels() {
            facts.raise(labels.site, labels.mark);
        }
    }

    /// A part was made.
    pub(crate) fn made(&self, labels: &Labels) {
        self.facts().raise(labels.site, labels.mark);
    }

    /// The newest mark on any part of the site.
    pub(crate) fn mark(&self, site: SiteId) -> Option<Mark> {
        self.facts().marks.get(&site).copied()
    }

    /// Whether anything of this site was seen.
    pub(crate) fn knows(&self, site: SiteId) -> bool {
        self.facts().marks.contains_key(&site)
    }

    /// A container is on its way out; `false` when it was already.
    pub(crate) fn leave(&self, id: &str) -> bool {
        self.facts().leaving.insert(ObjectId::new(id))
    }

    pub(crate) fn left(&self, id: &str) {
        self.facts().leaving.remove(&ObjectId::new(id));
    }

    pub(crate) fn is_leaving(&self, id: &ObjectId) -> bool {
        self.facts().leaving.contains(id)
    }

    pub(crate) fn has_drifted(&self, id: &ObjectId) -> bool {
        self.facts().drifted.contains(id)
    }

    pub(crate) fn set_drifted(&self, id: &str, drifted: bool) {
        let mut facts = self.facts();
        if drifted {
            facts.drifted.insert(ObjectId::new(id));
        } else {
            facts.drifted.remove(&ObjectId::new(id));
        }
    }

    /// A container was changed: it is inspected next.
    pub(crate) fn suspect(&self, id: &str) {
        self.facts().suspects.insert(id.to_owned());
    }

    /// A container has ended.
    pub(crate) fn ended(&self, site: SiteId, id: &str, at: Option<Timestamp>) {
        self.facts().ended.entry(site).or_default().insert(id.to_owned(), at);
    }

    /// Up to `limit` containers that have ended since this was asked last.
    pub(crate) fn take_ended(&self, scope: &Scope, limit: usize) -> Vec<(SiteId, String, Option<Timestamp>)> {
        let mut facts = self.facts();
        let ended: Vec<(SiteId, BTreeMap<_, _>)> = match scope {
            Scope::Fleet => std::mem::take(&mut facts.ended).into_iter().collect(),
            Scope::Site(site) => facts.ended.remove(site).map(|ended| (*site, ended)).into_iter().collect(),
        };
        let ended =
            ended.into_iter().flat_map(|(site, ids)| ids.into_iter().map(move |(id, at)| (site, id, at)));
        ended.take(limit).collect()
    }

    /// An inspection told when a container ran.
    pub(crate) fn ran(&self, id: &str, run: Option<Run>) {
        let mut facts = self.facts();
        match run {
            Some(run) => facts.runs.insert(id.to_owned(), run),
            None => facts.runs.remove(id),
        };
    }

    /// When a container ran, if that is known as long as it runs, or does not run, as now.
    pub(crate) fn run(&self, id: &str, runs: bool) -> Option<Run> {
        self.facts().runs.get(id).filter(|run| run.ended_at.is_none() == runs).cloned()
    }

    /// Whether anything is known of when a container ran.
    pub(crate) fn knows_run(&self, id: &str) -> bool {
        self.facts().runs.contains_key(id)
    }

    /// What was known of a container's run, which counts no more.
    pub(crate) fn forget_run(&self, id: &str) -> Option<Run> {
        self.facts().runs.remove(id)
    }

    /// Nobody has heard of what happened meanwhile: when containers ran has to be looked up again.
    pub(crate) fn forget_runs(&self) {
        self.facts().runs.clear();
    }

    /// Up to `limit` of these containers to inspect: the suspects, and with `rotate` those that come next in turn.
    pub(crate) fn due(&self, ids: &BTreeSet<&str>, rotate: bool, limit: usize) -> Vec<String> {
        let mut facts = self.facts();
        let mut due: Vec<String> =
            facts.suspects.iter().filter(|id| ids.contains(id.as_str())).take(limit).cloned().collect();
        facts.suspects.retain(|id| !due.contains(id) && (!rotate || ids.contains(id.as_str())));
        if rotate {
            let after = ids.iter().filter(|id| **id > facts.cursor.as_str());
            let turn: Vec<&str> = after
                .chain(ids.iter())
                .take(limit.saturating_sub(due.len()).min(ids.len()))
                .copied()
                .collect();
            if let Some(last) = turn.last() {
                (*last).clone_into(&mut facts.cursor);
            }
            due.extend(turn.into_iter().map(str::to_owned));
        }
        due
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn raise(&mut self, site: SiteId, mark: Mark) {
        let highest = self.marks.entry(site).or_insert(mark);
        *highest = mark.max(*highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rotation_reaches_every_container_and_suspects_come_first() {
        let memory = Memory::default();
        let ids = BTreeSet::from(["a", "b", "c", "d", "e"]);
        assert_eq!(memory.due(&ids, true, 2), ["a", "b"]);
        assert_eq!(memory.due(&ids, true, 2), ["c", "d"]);
        memory.suspect("b");
        memory.suspect("gone");
        assert_eq!(memory.due(&ids, false, 2), ["b"]);
        assert_eq!(memory.due(&ids, true, 2), ["e", "a"]);
        assert_eq!(memory.due(&BTreeSet::new(), true, 2), [""; 0]);
        assert_eq!(memory.due(&BTreeSet::from(["x"]), true, 2), ["x"]);
    }

    #[test]
    fn what_ended_is_told_once_to_who_looks_at_it() {
        let memory = Memory::default();
        let (site, other) = (SiteId::new(), SiteId::new());
        memory.ended(site, "a", None);
        memory.ended(site, "a", Some(Timestamp::UNIX_EPOCH));
        memory.ended(other, "b", None);
        let ended = (site, "a".to_owned(), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(memory.take_ended(&Scope::Site(site), 8), [ended]);
        assert_eq!(memory.take_ended(&Scope::Site(site), 8), []);
        memory.ended(other, "c", None);
        assert_eq!(memory.take_ended(&Scope::Fleet, 1).len(), 1);
        assert_eq!(memory.take_ended(&Scope::Fleet, 1), []);
    }

    #[test]
    fn the_newest_mark_counts_until_its_part_is_gone() {
        let memory = Memory::default();
        let site = SiteId::new();
        let part = wpaas_core::converge::Part::Network;
        let labels = |mark| Labels { site, part, mark, fingerprint: None, host: None };
        memory.made(&labels((2, 1)));
        memory.made(&labels((1, 9)));
        assert_eq!(memory.mark(site), Some((2, 1)));
        assert!(memory.knows(site));
        memory.learn(&Scope::Site(site), &Listing::default());
        assert_eq!(memory.mark(site), None);
    }
}
