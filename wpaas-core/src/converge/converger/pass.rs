//! One look at one site: plan, check the plan, take its steps, keep what was found.

use super::{Converger, Event, Instant, IntentsError, SiteId, SitePlan, plan, timestamp};
use crate::converge::{Coverage, Facts, Intent, Trouble, Wanted, lint, status};
use jiff::Timestamp;

impl Converger {
    pub(super) fn pass(&mut self, site: SiteId, now: Instant) {
        let Some(intent) = self.wanted.get(&site).cloned() else { return };
        let facts = self.view.facts(site, now);
        let plan = plan(&intent, &facts);
        if self.is_gone(&intent, &facts, &plan) {
            let intents = self.intents.clone();
            self.tasks.spawn(async move { Event::Purged(site, intents.purged(site).await) });
            return;
        }
        if plan.steps.is_empty() && facts.busy.is_empty() {
            self.errors.remove(&site);
            self.retries.succeeded(site);
        }
        let next_try = self.take(&intent, &facts, &plan, now);
        // What a step left is seen when it ends; what a hold waits for may come without a hint.
        if !plan.holds.is_empty() {
            self.queue.push(site, now + self.backend.capabilities().resync);
        }
        // A step that has begun changes what is known; nothing else of this pass does.
        let facts = if plan.steps.is_empty() { facts } else { self.view.facts(site, now) };
        self.record(&intent, &facts, &plan, next_try, now);
    }

    fn is_gone(&self, intent: &Intent, facts: &Facts, plan: &SitePlan) -> bool {
        intent.wanted == Wanted::Gone
            && plan.is_empty()
            && facts.objects.is_empty()
            && facts.coverage == Coverage::Complete
            && self.sight.unseen.is_none()
    }

    /// Takes the plan's steps, or says when they may be taken.
    fn take(&mut self, intent: &Intent, facts: &Facts, plan: &SitePlan, now: Instant) -> Option<Instant> {
        if plan.steps.is_empty() || self.sight.unseen.is_some() {
            return None;
        }
        if let Err(violation) = lint(intent, facts, plan) {
            tracing::error!(site = %intent.site, %violation, %plan, "a plan breaks a rule; nothing of it is done");
            self.errors.insert(intent.site, format!("a defect of wpaas: {violation}"));
            return None;
        }
        let paused = self.paused.filter(|until| *until > now);
        match self
            .retries
            .when(intent.site, intent.generation, now)
            .map(|at| paused.map_or(at, |p| p.max(at)))
        {
            Some(at) if at <= now => {
                tracing::info!(%plan, "plan");
                for step in plan.steps.iter().cloned() {
                    self.begin(step);
                }
                None
            }
            Some(later) => {
                self.queue.push(intent.site, later);
                Some(later)
            }
            None => None,
        }
    }

    /// Keeps what was found, when it differs from what was kept.
    fn record(
        &mut self,
        intent: &Intent,
        facts: &Facts,
        plan: &SitePlan,
        next_try: Option<Instant>,
        now: Instant,
    ) {
        let site = intent.site;
        let trouble = Trouble {
            unseen: self.sight.unseen.clone(),
            last_error: self.errors.get(&site).cloned(),
            next_try: next_try.map(|at| timestamp(at, now)),
        };
        let mut new = status(intent, facts, plan, &trouble, Timestamp::now());
        if let Some(old) = self.found.get(&site) {
            new.keep_since(old);
            if new == *old {
                return;
            }
        }
        self.found.insert(site, new);
        self.keep(site);
    }

    /// One writing at a time, so that an older status can't overwrite a newer.
    fn keep(&mut self, site: SiteId) {
        let Some(status) = self.found.get(&site).cloned() else { return };
        if let Some(changed) = self.recording.get_mut(&site) {
            *changed = true;
            return;
        }
        self.recording.insert(site, false);
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Recorded(site, intents.record(site, &status).await) });
    }

    pub(super) fn recorded(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        let changed = self.recording.remove(&site).unwrap_or(false);
        match result {
            Ok(()) if changed => self.keep(site),
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "what was found can't be kept; trying again");
                self.found.remove(&site);
                self.queue.push(site, now + Self::SWEEP);
            }
        }
    }

    pub(super) fn purged(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        match result {
            Ok(()) => {
                self.wanted.remove(&site);
                self.found.remove(&site);
                self.errors.remove(&site);
                self.retries.succeeded(site);
                self.view.forget(site);
            }
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "a site's end can't be kept; trying again");
                self.queue.push(site, now + Self::SWEEP);
            }
        }
    }
}
