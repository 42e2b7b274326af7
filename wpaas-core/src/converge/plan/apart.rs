//! WordPress nodes apart from the site's own traffic: one tries the release that is to be served next, others show
//! releases under names of their own.

use smallvec::SmallVec;

use super::{HoldReason, Pass};
use crate::converge::verdict::trial;
use crate::converge::{
    Action, Candidate, ObjectState, Part, ReleaseRef, Routes, RunIntent, Seen, StepReason, WordpressPhase,
};
use crate::node::{self, Purpose, WordpressSite};

const SLOTS: usize = (Part::WORDPRESS_SLOTS - Part::APART_SLOTS) as usize;

/// The release that is tried now. A site without instances has nothing to try it for.
pub(super) fn tried(run: &RunIntent) -> Option<Candidate> {
    run.candidate.as_deref().copied().filter(|_| run.wordpress > 0)
}

/// What is to run apart, with the names of a preview.
pub(super) fn wanted(run: &RunIntent) -> impl Iterator<Item = (Purpose, ReleaseRef, &[String])> {
    let none: &[String] = &[];
    let tried = tried(run).map(|candidate| (Purpose::Trial(candidate), candidate.release, none));
    let previews = run.previews.iter().filter(|_| run.wordpress > 0);
    tried
        .into_iter()
        .chain(previews.map(|preview| (Purpose::Preview, preview.release, preview.names.as_slice())))
}

/// The releases that nodes apart have.
pub(super) fn releases(run: &RunIntent) -> impl Iterator<Item = ReleaseRef> {
    wanted(run).map(|(_, release, _)| release)
}

impl Pass<'_> {
    pub(super) fn apart<'r>(&mut self, run: &'r RunIntent, routes: &mut Routes<'r>) {
        let Some(url) = node::canonical_url(run, self.facts.address()) else { return };
        let mut used = SmallVec::<[u8; SLOTS]>::new();
        for (purpose, release, names) in wanted(run) {
            let spec = WordpressSite::new(self.intent.site, run, purpose, release, url);
            if let Some(slot) = self.node_apart(&spec, purpose, run, &used) {
                used.push(slot);
                if purpose == Purpose::Preview {
                    routes.preview(Part::Wordpress(slot), names);
                }
            }
        }
        self.leave_apart(&used);
    }

    /// Makes or mends the node of this spec. Returns its slot, if it has one.
    fn node_apart(
        &mut self,
        spec: &WordpressSite<'_>,
        purpose: Purpose,
        run: &RunIntent,
        used: &[u8],
    ) -> Option<u8> {
        let slots = Part::APART_SLOTS..Part::WORDPRESS_SLOTS;
        let facts = self.facts;
        let there = slots.clone().find_map(|slot| match facts.seen(Part::Wordpress(slot)) {
            Seen::There(object) if object.fingerprint == Some(spec.fingerprint) => Some((slot, object)),
            _ => None,
        });
        if let Some((slot, object)) = there {
            let part = Part::Wordpress(slot);
            if self.mend_node(part, object) {
                match purpose {
                    Purpose::Trial(_) => self.trial_node(part, spec, run),
                    Purpose::Preview | Purpose::Visitors => self.wordpress_trouble(part),
                }
            }
            return Some(slot);
        }
        // A slot in which something is being done may be getting this very node.
        if let Some(busy) = slots.clone().map(Part::Wordpress).find(|part| facts.busy.contains(part)) {
            self.hold(busy, HoldReason::Busy);
            return None;
        }
        let free = |slot: &u8| facts.seen(Part::Wordpress(*slot)) == Seen::Absent && !used.contains(slot);
        let Some(slot) = slots.clone().find(free) else {
            let unseen = slots.map(Part::Wordpress).any(|part| facts.seen(part) == Seen::Unknown);
            let reason = if unseen { HoldReason::Unseen } else { HoldReason::NoSlot };
            self.hold(Part::Wordpress(Part::APART_SLOTS), reason);
            return None;
        };
        self.create_wordpress_node(slot, spec);
        Some(slot)
    }

    /// A node that tries a release is asked for the new schema once the release has proved itself with the old, and that
    /// is kept with it.
    fn trial_node(&mut self, part: Part, spec: &WordpressSite<'_>, run: &RunIntent) {
        let reported = trial(self.intent, run, self.facts).filter(|(of, _)| *of == part);
        let Some((_, report)) = reported else { return self.hold(part, HoldReason::Silent) };
        match (report.phase, report.upgrade()) {
            (WordpressPhase::Serving, Some((from, to))) => {
                let known = run.candidate.as_ref().is_some_and(|candidate| candidate.changes.is_some());
                if let Some(object) = self.facts.ready(part).filter(|_| known) {
                    let action = Action::Configure { object: object.id.clone(), files: spec.live_files() };
                    self.tell(part, action, StepReason::Schema);
                }
                self.hold(part, HoldReason::Upgrading { from, to });
            }
            (WordpressPhase::Restoring, _) => self.hold(part, HoldReason::Restoring),
            (WordpressPhase::Upgrading, Some((from, to))) => {
                self.hold(part, HoldReason::Upgrading { from, to });
            }
            (WordpressPhase::Serving, None) | (WordpressPhase::Refused, _) => {
                self.hold(part, HoldReason::Tried);
            }
            _ => self.hold(part, HoldReason::Proving),
        }
    }

    /// Nobody misses what runs apart and is not wanted any more.
    fn leave_apart(&mut self, used: &[u8]) {
        let facts = self.facts;
        for object in facts.objects.iter().filter(|object| object.part.is_apart()) {
            let used = used.iter().any(|slot| object.part == Part::Wordpress(*slot));
            if used || facts.busy.contains(&object.part) {
                continue;
            }
            if object.state == ObjectState::Removing {
                self.hold(object.part, HoldReason::Removing);
            } else {
                let action = Action::Remove { object: object.id.clone() };
                self.step(object.part, action, StepReason::Unused);
            }
        }
    }
}
