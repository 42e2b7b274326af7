//! When things ran, beside the world, which has no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::converge::{Ends, Object, ObjectId, ObjectState, Run};
use crate::id::SiteId;

/// Every run there ever was: as some clouds do for a while, it still tells of what is gone.
#[derive(Debug, Default)]
pub(super) struct Runs {
    clock: Option<fn() -> Timestamp>,
    /// Where ends are left, with a clock.
    ends: Option<Arc<dyn Ends>>,
    /// Those whose end is still to be left.
    ended: Vec<(SiteId, Run)>,
    sites: BTreeMap<SiteId, BTreeMap<ObjectId, Run>>,
}

impl Runs {
    pub(super) fn keep_time(&mut self, clock: fn() -> Timestamp, ends: Arc<dyn Ends>) {
        (self.clock, self.ends) = (Some(clock), Some(ends));
    }

    /// Where ends are left.
    pub(super) fn ends(&self) -> Option<Arc<dyn Ends>> {
        self.ends.clone()
    }

    /// What has ended since this was asked last.
    pub(super) fn take_ended(&mut self) -> Vec<(SiteId, Run)> {
        std::mem::take(&mut self.ended)
    }

    /// The end of this run could not be left.
    pub(super) fn untold(&mut self, site: SiteId, run: Run) {
        self.ended.push((site, run));
    }

    /// Takes in what is there of a site now.
    pub(super) fn follow<'a>(&mut self, site: SiteId, objects: impl Iterator<Item = &'a Object>) {
        let Some(now) = self.clock.map(|clock| clock()) else { return };
        let running: Vec<&Object> = objects.filter(|object| runs(object)).collect();
        let of_site = self.sites.entry(site).or_default();
        for object in &running {
            let run = of_site.entry(object.id.clone()).or_insert_with(|| begin(object, now));
            if let Some(end) = run.ended_at {
                *run = Run { previous_end: Some(end), ..begin(object, now) };
            }
        }
        for (id, run) in of_site.iter_mut().filter(|(_, run)| run.ended_at.is_none()) {
            if running.iter().all(|object| object.id != *id) {
                run.ended_at = Some(now);
                self.ended.push((site, run.clone()));
            }
        }
    }

    pub(super) fn all(&self) -> Vec<(SiteId, Run)> {
        let of = |(site, runs): (&SiteId, &BTreeMap<ObjectId, Run>)| {
            let site = *site;
            runs.values().map(move |run| (site, run.clone())).collect::<Vec<_>>()
        };
        self.sites.iter().flat_map(of).collect()
    }
}

fn runs(object: &Object) -> bool {
    let node = object.part.is_node() && matches!(object.state, ObjectState::Ready | ObjectState::Frozen);
    node || object.part.holds_data()
}

fn begin(object: &Object, now: Timestamp) -> Run {
    let (part, object) = (object.part, object.id.clone());
    Run { part, object, started_at: now, ended_at: None, previous_end: None }
}
