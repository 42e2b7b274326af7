//! Taking steps.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use super::turns::Rank;
use super::wanted::chain;
use super::{Applied, BackendError, Converger, Event, Instant, SiteId, Step};
use crate::converge::{Action, ErrorClass, Wanted};

impl Converger {
    pub(super) fn begin(&mut self, step: Step, now: Instant) {
        self.view.step_began(&step);
        let rank = match (self.is_new(step.site), self.errors.contains_key(&step.site)) {
            (false, _) => Rank::Mends,
            (true, false) => Rank::New(step.site),
            (true, true) => Rank::Fails,
        };
        self.turns.wait(rank, step);
        self.next_turns(now);
    }

    /// Takes the steps whose turn it is, unless the backend is to be left alone.
    pub(super) fn next_turns(&mut self, now: Instant) {
        if self.paused(now).is_some() {
            return;
        }
        while let Some((rank, step)) = self.turns.take() {
            self.apply(rank, step);
        }
    }

    fn apply(&mut self, rank: Rank, step: Step) {
        let (backend, tenure) = (self.backend.clone(), self.tenure.clone());
        self.tasks.spawn(async move {
            // Asked as late as can be: this server may have hung, or waited for long.
            let Some(_tended) = tenure.begin(step.site, step.epoch) else {
                let error = BackendError::new(ErrorClass::Conflict, "another server tends the site now");
                return Event::Stepped(rank, step, Err(error));
            };
            let apply = AssertUnwindSafe(backend.apply(&step)).catch_unwind();
            let result = match tokio::time::timeout(patience(&step), apply).await {
                Ok(Ok(result)) => result,
                Ok(Err(_panic)) => {
                    Err(BackendError::new(ErrorClass::Transient, format!("{step}: a defect: panicked")))
                }
                Err(_late) => Err(BackendError::new(ErrorClass::Transient, format!("{step}: took too long"))),
            };
            Event::Stepped(rank, step, result)
        });
    }

    /// Whether the site is on its way up for the first time.
    fn is_new(&self, site: SiteId) -> bool {
        let wanted = self.wanted.get(&site).map(|known| &known.intent.wanted);
        matches!(wanted, Some(Wanted::Run(run)) if !run.was_founded)
    }

    pub(super) fn stepped(
        &mut self,
        rank: Rank,
        step: &Step,
        result: Result<Applied, BackendError>,
        now: Instant,
    ) {
        self.turns.ended(rank);
        let site = step.site;
        match result {
            Ok(applied) => {
                self.view.step_ended(step, Some(applied), now);
                self.queue.add(site);
            }
            Err(error) => {
                self.view.step_ended(step, None, now);
                self.failed(step, &error, now);
                self.look_at(site, now);
            }
        }
        // Only now: it may have asked to be left alone.
        self.next_turns(now);
    }

    fn failed(&mut self, step: &Step, error: &BackendError, now: Instant) {
        let (site, generation) = (step.site, step.generation);
        tracing::warn!(%site, %step, error = chain(error), class = ?error.class, "a step failed");
        self.errors.insert(site, format!("{step}: {}", chain(error)));
        match error.class {
            // What is there is not what was planned on: the look that follows tells.
            ErrorClass::Conflict | ErrorClass::Transient => self.back_off(site, generation, now),
            ErrorClass::Throttled { .. } => {
                let until = self.pause_for(error.class, now);
                self.queue.add_at(site, until.unwrap_or(now));
            }
            ErrorClass::Permanent => {
                self.retries.parked(site, generation, now);
                // To say so.
                self.queue.add(site);
            }
        }
    }

    fn back_off(&mut self, site: SiteId, generation: u64, now: Instant) {
        let until = self.retries.failed(site, generation, now);
        self.queue.add_at(site, until);
    }
}

/// After this time a step counts as failed; it may still take effect.
fn patience(step: &Step) -> Duration {
    match step.action {
        Action::CreateRelease { .. } => Duration::from_secs(600),
        _ => Duration::from_secs(120),
    }
}
