//! One look at one site: plan, check the plan, take its steps, keep what was found.

use std::sync::Arc;

use super::{Converger, Event, Instant, IntentsError, SiteId, SitePlan};
use crate::converge::{
    Act, Coverage, Intent, Verdict, Violation, Wanted, acts, floor, keep_what_is_there, keep_what_runs, lint,
    verdict,
};
use crate::site::Generation;

/// Whether the store is older than what runs.
enum Behind {
    No,
    /// It is being read again.
    Perhaps,
    By(Generation),
}

/// What else a pass found, while it had the facts at hand.
struct Found {
    verdict: Option<Verdict>,
    /// The rule that the plan breaks.
    broken: Option<Violation>,
    /// Steps that are under way.
    under_way: usize,
    /// What the plan's steps are, where that is to be told.
    acts: Vec<Act>,
}

impl Converger {
    pub(super) fn pass(&mut self, site: SiteId, now: Instant) {
        let Some(known) = self.wanted.get_mut(&site) else { return };
        // Else it is another server's.
        let Some(epoch) = self.tenure.epoch(site, now) else { return };
        if known.intent.epoch != epoch {
            Arc::make_mut(&mut known.intent).epoch = epoch;
        }
        let mut intent = known.intent.clone();
        let newest = floor(&intent, &self.view.facts(site, now));
        let behind = match self.is_behind(site, newest) {
            Behind::No => false,
            Behind::Perhaps => return,
            Behind::By(floor) => {
                Arc::make_mut(&mut intent).generation = floor;
                true
            }
        };
        let facts = self.view.facts(site, now);
        let plan = (self.planner)(&intent, &facts);
        let plan = if behind { keep_what_runs(plan) } else { plan };
        let plan = if self.view.doubts() { keep_what_is_there(plan) } else { plan };
        if plan.is_empty() && facts.busy.is_empty() {
            self.quiet(&intent, &plan, now);
        } else {
            let found = Found {
                verdict: verdict(&intent, &facts),
                broken: self.linted.then(|| lint(&intent, &facts, &plan).err()).flatten(),
                under_way: facts.busy.len(),
                acts: acts(&intent, &facts, &plan),
            };
            self.busy(&intent, &plan, found, now);
        }
    }

    /// What is known of what is wanted may be old itself, so it is read again before the store is said to be.
    fn is_behind(&mut self, site: SiteId, newest: Option<Generation>) -> Behind {
        match newest {
            None => {
                self.doubted.remove(&site);
                Behind::No
            }
            Some(floor) if self.doubted.insert(site, floor) == Some(floor) => Behind::By(floor),
            Some(_) => {
                self.load(site);
                Behind::Perhaps
            }
        }
    }

    /// A pass that finds nothing to do.
    fn quiet(&mut self, intent: &Intent, plan: &SitePlan, now: Instant) {
        let site = intent.site;
        if self.is_gone(intent, now) {
            if !self.is_metered(site) {
                return;
            }
            let intents = self.intents.clone();
            self.tasks.spawn(async move { Event::Purged(site, intents.purged(site).await) });
            return;
        }
        self.errors.remove(&site);
        self.retries.succeeded(site);
        self.record(intent, plan, None, now);
    }

    /// A pass that takes steps, or waits.
    fn busy(&mut self, intent: &Intent, plan: &SitePlan, mut found: Found, now: Instant) {
        if plan.steps.is_empty() && found.under_way == 0 {
            self.errors.remove(&intent.site);
            self.retries.succeeded(intent.site);
        }
        if let Some(verdict) = found.verdict.take() {
            self.judge(intent.site, verdict);
        }
        let next_try = self.take(intent, plan, found, now);
        // What a step left is seen when it ends; what a hold waits for may come without a hint.
        if !plan.holds.is_empty() {
            self.queue.push(intent.site, now + self.backend.capabilities().resync);
        }
        self.record(intent, plan, next_try, now);
    }

    fn is_gone(&self, intent: &Intent, now: Instant) -> bool {
        if intent.wanted != Wanted::Gone || self.view.doubts() {
            return false;
        }
        let facts = self.view.facts(intent.site, now);
        facts.objects.is_empty() && facts.coverage == Coverage::Complete && self.sight.unseen.is_none()
    }

    /// Takes the plan's steps, or says when they may be taken.
    fn take(&mut self, intent: &Intent, plan: &SitePlan, found: Found, now: Instant) -> Option<Instant> {
        let Found { verdict: _, broken, under_way, acts } = found;
        if plan.steps.is_empty() || self.sight.unseen.is_some() {
            return None;
        }
        if let Some(violation) = broken {
            tracing::error!(site = %intent.site, %violation, %plan, "a plan breaks a rule; nothing of it is done");
            self.errors.insert(intent.site, format!("a defect of wpaas: {violation}"));
            return None;
        }
        let at = self.retries.when(intent.site, intent.generation, now);
        let at = self.paused(now).map_or(at, |until| until.max(at));
        if at > now {
            self.queue.push(intent.site, at);
            return Some(at);
        }
        tracing::info!(%plan, "plan");
        let room = self.share().saturating_sub(under_way);
        let begun = &plan.steps[..room.min(plan.steps.len())];
        self.tell(intent, begun, acts, now);
        for step in begun.iter().cloned() {
            self.begin(step, now);
        }
        None
    }

    /// Steps that one site may have under way: a site that hangs leaves the others half of the backend. What is not
    /// begun is planned again when a step ends.
    fn share(&self) -> usize {
        (self.backend.capabilities().concurrency / 2).max(1)
    }

    /// Keeps what was found of the release that is tried.
    fn judge(&mut self, site: SiteId, verdict: Verdict) {
        if !self.judging.insert(site) {
            return;
        }
        tracing::info!(%site, release = %verdict.release, proved = verdict.found.is_ok(), "a release was tried");
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Judged(site, intents.judged(site, &verdict).await) });
    }

    pub(super) fn judged(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        self.judging.remove(&site);
        match result {
            Ok(()) => self.load(site),
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "what was found of a release can't be kept; trying again");
                self.queue.push(site, now + Self::SWEEP);
            }
        }
    }

    pub(super) fn purged(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        match result {
            Ok(()) => {
                self.forget(site);
                self.view.forget(site);
            }
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "a site's end can't be kept; trying again");
                self.queue.push(site, now + Self::SWEEP);
            }
        }
    }
}
