//! What is known of one site.

use std::borrow::Cow;
use std::time::Duration;

use thin_vec::ThinVec;
use tokio::time::Instant;

use super::View;
use super::said::Said;
use super::silence::{Ears, Silence};
use crate::converge::{
    Action, Applied, Coverage, Facts, Heard, Object, ObjectId, ObjectState, Part, Report, Step, StepReason,
    Told,
};

/// The facts as the planner reads them, with the times that decide how long each of them counts.
#[derive(Debug, Clone)]
pub(super) struct SiteView {
    pub(super) facts: Facts,
    /// When each report of `facts` came, in the same order.
    heard: Vec<Instant>,
    /// When each node of `facts.told` was told, in the same order.
    told: ThinVec<Instant>,
    /// Parts that steps have touched lately.
    steps: ThinVec<Touched>,
    /// Whether it was there before anybody listened, and not all of its nodes have been heard since.
    pub(super) unheard: bool,
    /// Since when which nodes are silent.
    pub(super) silence: Silence,
    /// Which of the known objects the listing under way has shown.
    shown: [u64; 2],
    /// Whether the listing under way has shown anything else.
    other: bool,
}

/// What a listing proves of what it does not show.
#[derive(Debug, Clone, Copy)]
pub(super) enum Absence<'a> {
    /// Nothing.
    Unproved,
    /// That it is gone, but for these.
    But(&'a [ObjectId]),
}

impl Absence<'_> {
    fn is_proved(self, object: &Object) -> bool {
        matches!(self, Self::But(kept) if !kept.contains(&object.id))
    }
}

/// What steps did with a part.
#[derive(Debug, Clone)]
struct Touched {
    part: Part,
    under_way: bool,
    /// In what state it was before it began to go; if that fails, it is in it again.
    was: Option<ObjectState>,
    /// When the last one ended.
    ended: Option<Instant>,
    /// When the last one ended that is known to have had an effect.
    effect: Option<Instant>,
}

impl SiteView {
    /// Longer than any listing takes: one that comes later than this after a step has ended began after it.
    const LISTING: Duration = Duration::from_secs(120);

    pub(super) const fn new(coverage: Coverage) -> Self {
        let mut facts = Facts::nothing();
        facts.coverage = coverage;
        Self {
            facts,
            heard: Vec::new(),
            told: ThinVec::new(),
            steps: ThinVec::new(),
            unheard: false,
            silence: Silence::new(),
            shown: [0; 2],
            other: false,
        }
    }

    /// Compares a listed object with the known ones.
    pub(super) fn compare(&mut self, listed: &Object) {
        match self.facts.objects.iter().position(|known| known == listed) {
            Some(at) if at < 128 => self.shown[at / 64] |= 1 << (at % 64),
            _ => self.other = true,
        }
    }

    /// Whether the listing that has been compared differs from what is known; begins anew.
    pub(super) fn compared(&mut self, complete: bool) -> bool {
        let shown: u32 = std::mem::take(&mut self.shown).into_iter().map(u64::count_ones).sum();
        std::mem::take(&mut self.other) || (complete && (shown as usize) < self.facts.objects.len())
    }

    /// Takes a listing of this site in, but for the parts that steps have touched since it began. Where it may be
    /// too old to show what a step did, it tells only how the same object is.
    pub(super) fn merge(
        &mut self,
        listed: Vec<Object>,
        absence: Absence<'_>,
        began: Instant,
        lag: Duration,
    ) -> bool {
        let newer = |part: Part| self.is_newer(part, began);
        let older = |part: Part| self.may_be_unlisted(part, began, lag);
        let same = |object: &Object| {
            self.facts.objects.iter().any(|known| known.part == object.part && known.id == object.id)
        };
        let mut objects: Vec<Object> = listed
            .into_iter()
            .filter(|object| !newer(object.part) && (!older(object.part) || same(object)))
            .collect();
        let keep = |object: &&Object| {
            let told = objects.iter().any(|listed| listed.part == object.part);
            newer(object.part) || (!told && (!absence.is_proved(object) || older(object.part)))
        };
        let kept: Vec<Object> = self.facts.objects.iter().filter(keep).cloned().collect();
        objects.extend(kept);
        objects.sort_by(|a, b| (a.part, a.generation, &a.id).cmp(&(b.part, b.generation, &b.id)));
        if objects == self.facts.objects {
            return false;
        }
        objects.shrink_to_fit();
        self.forget_changed_nodes(&objects);
        let before = std::mem::replace(&mut self.facts.objects, objects);
        // While not everything was listed, what is new to us need not be new.
        let made = |object: &Object| {
            let known = before.iter().find(|known| known.id == object.id);
            self.facts.coverage == Coverage::Complete
                && known.is_none_or(|known| known.state == ObjectState::Incomplete)
        };
        self.silence.see(&self.facts, made, began);
        true
    }

    /// The known objects that a listing lacks, though it was to show them: no step has touched their parts since, and
    /// they were not on their way out.
    pub(super) fn missed(&self, listed: &[Object], began: Instant, lag: Duration) -> Vec<ObjectId> {
        let told = |part: Part| listed.iter().any(|object| object.part == part);
        let due = |object: &&Object| {
            object.state != ObjectState::Removing
                && !told(object.part)
                && !self.is_newer(object.part, began)
                && !self.may_be_unlisted(object.part, began, lag)
        };
        self.facts.objects.iter().filter(due).map(|object| object.id.clone()).collect()
    }

    fn steps_of(&self, part: Part) -> Option<&Touched> {
        self.steps.iter().find(|touched| touched.part == part)
    }

    /// Whether a step has touched the part since a listing began.
    fn is_newer(&self, part: Part, began: Instant) -> bool {
        self.steps_of(part).is_some_and(|it| it.under_way || it.ended.is_some_and(|at| at >= began))
    }

    /// Whether a listing may be too old to show what a step did with the part.
    fn may_be_unlisted(&self, part: Part, began: Instant, lag: Duration) -> bool {
        let effect = self.steps_of(part).and_then(|it| it.effect);
        effect.is_some_and(|at| !lag.is_zero() && at + lag >= began)
    }

    /// What a node said counts only while that same node runs.
    fn forget_changed_nodes(&mut self, objects: &[Object]) {
        let runs = |part: Part| {
            let old = self.facts.objects.iter().find(|object| object.part == part);
            let new = objects.iter().find(|object| object.part == part);
            match (old, new) {
                (Some(old), Some(new)) => old.id == new.id && new.state == ObjectState::Ready,
                (None, Some(new)) => new.state == ObjectState::Ready,
                (_, None) => false,
            }
        };
        let reports = self.facts.reports.iter().map(|report| report.part);
        let gone: Vec<Part> = reports.filter(|part| !runs(*part)).collect();
        for part in gone {
            self.forget_node(part);
        }
    }

    fn forget_node(&mut self, part: Part) {
        if let Ok(at) = self.report_of(part) {
            self.facts.reports.remove(at);
            self.heard.remove(at);
        }
        self.forget_told(part);
    }

    fn forget_told(&mut self, part: Part) {
        if let Some(at) = self.facts.told.iter().position(|told| told.part == part) {
            self.facts.told.remove(at);
            self.told.remove(at);
        }
    }

    fn report_of(&self, part: Part) -> Result<usize, usize> {
        self.facts.reports.binary_search_by_key(&part, |report| report.part)
    }

    pub(super) fn step_began(&mut self, step: &Step) {
        // What is being removed is on its way out, before any listing shows it.
        let was = self.put_in_state(step, ObjectState::Removing);
        let touched = self.touched(step.part);
        (touched.under_way, touched.was) = (true, was);
        self.unheard = false;
        if let Err(at) = self.facts.busy.binary_search(&step.part) {
            self.facts.busy.insert(at, step.part);
        }
        if step.message().is_none() {
            self.forget_node(step.part);
        }
    }

    /// Of a removal: what it removes is in this state. Returns in what state it was.
    fn put_in_state(&mut self, step: &Step, state: ObjectState) -> Option<ObjectState> {
        let Action::Remove { object: id } = &step.action else { return None };
        let object = self.facts.objects.iter_mut().find(|object| object.id == *id)?;
        Some(std::mem::replace(&mut object.state, state))
    }

    pub(super) fn step_ended(&mut self, step: &Step, applied: Option<Applied>, now: Instant) {
        let touched = self.touched(step.part);
        (touched.under_way, touched.ended) = (false, Some(now));
        let was = touched.was.take();
        if applied.is_some() {
            touched.effect = Some(now);
        }
        self.facts.busy.retain(|part| *part != step.part);
        let is_gone = matches!(step.action, Action::Remove { .. }) && applied.is_some();
        if is_gone && step.why == StepReason::Silent {
            self.silence.replaced(step.part);
        }
        let starts = matches!(step.action, Action::CreateNode(_) | Action::StartNode { .. });
        let began = starts && applied.is_some();
        match applied {
            Some(Applied::Present(object)) => self.put(object),
            Some(Applied::Absent) => {
                self.facts.objects.retain(|object| object.part != step.part);
                self.forget_node(step.part);
            }
            Some(Applied::Told) => {
                if let Some(message) = step.message() {
                    self.forget_told(step.part);
                    let at = self.facts.told.partition_point(|told| told.part < step.part);
                    self.facts.told.insert(at, Told { part: step.part, message });
                    self.told.insert(at, now);
                }
            }
            None => {
                if let Some(was) = was {
                    self.put_in_state(step, was);
                }
            }
        }
        self.silence.see(&self.facts, |object| began && object.part == step.part, now);
    }

    fn touched(&mut self, part: Part) -> &mut Touched {
        let at = self.steps.iter().position(|touched| touched.part == part).unwrap_or_else(|| {
            self.steps.push(Touched { part, under_way: false, was: None, ended: None, effect: None });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }

    /// Forgets steps that no listing can be older than any more.
    pub(super) fn forget_steps(&mut self, began: Instant, lag: Duration) {
        if !self.steps.is_empty() {
            let counts = |at: Instant| at + Self::LISTING + lag >= began;
            self.steps.retain(|touched| touched.under_way || touched.ended.is_some_and(counts));
            self.steps.shrink_to_fit();
        }
    }

    fn put(&mut self, object: Object) {
        let objects = &mut self.facts.objects;
        objects.retain(|old| old.part != object.part);
        let at = objects.partition_point(|old| old.part < object.part);
        objects.insert(at, object);
    }

    /// Takes a report in. Returns whether it says anything new.
    pub(super) fn reported(&mut self, report: Report, now: Instant, said: &mut Said) -> bool {
        let Report { site: _, part, boot, node } = report;
        self.silence.heard(part);
        let same = match self.report_of(part) {
            Ok(at) => {
                let heard = std::mem::replace(&mut self.heard[at], now);
                let known = &mut self.facts.reports[at];
                let is_known = known.boot == boot && known.node == node;
                if !is_known {
                    *known = Heard { part, boot, node: said.once(node) };
                }
                is_known && now - heard < View::STALE
            }
            Err(at) => {
                // There are as many as there are nodes, and that seldom changes.
                let nodes = self.facts.objects.iter().filter(|object| object.part.is_node()).count();
                let missing = nodes.saturating_sub(self.heard.len()).max(1);
                self.facts.reports.reserve_exact(missing);
                self.heard.reserve_exact(missing);
                self.facts.reports.insert(at, Heard { part, boot, node: said.once(node) });
                self.heard.insert(at, now);
                false
            }
        };
        if !same {
            self.forget_told(part);
        }
        self.unheard = self.is_unheard();
        !same
    }

    pub(super) fn is_unheard(&self) -> bool {
        self.unheard && self.has_silent_node()
    }

    fn has_silent_node(&self) -> bool {
        let silent = |object: &Object| {
            object.part.is_node()
                && object.state == ObjectState::Ready
                && self.report_of(object.part).is_err()
        };
        self.facts.objects.iter().any(silent)
    }

    /// What is known now; borrowed unless something of it has become too old to count.
    pub(super) fn facts(&self, now: Instant, ears: Ears) -> Cow<'_, Facts> {
        let said = |at: &Instant| now - *at < View::STALE;
        let told = |at: &Instant| now - *at < View::TELL_AGAIN;
        let silent = self.silence.lasting(&self.facts, &self.heard, ears, now);
        if silent.is_empty() && self.heard.iter().all(said) && self.told.iter().all(told) {
            return Cow::Borrowed(&self.facts);
        }
        let mut facts = Facts { silent, ..self.facts.clone() };
        let (mut heard, mut when) = (self.heard.iter(), self.told.iter());
        facts.reports.retain(|_| heard.next().is_some_and(said));
        facts.told.retain(|_| when.next().is_some_and(told));
        Cow::Owned(facts)
    }

    /// Whether a node fell silent between these times.
    pub(super) fn fell_silent(&self, since: Instant, now: Instant) -> bool {
        self.heard.iter().any(|at| (since..now).contains(&(*at + View::STALE)))
    }
}
