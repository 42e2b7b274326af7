//! What the converger does of its own accord, told once.

use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use super::{Converger, Event, Instant, Intent, IntentsError, SiteId, Step};
use crate::converge::{Act, Action, Part};
use crate::site::Generation;

/// What was told of a site: each kind of step to each part once in a generation and an hour, so that what fails for ever,
/// or comes back again and again, is no flood. Another server, or this one after a start, tells it again.
#[derive(Debug, Default)]
pub(super) struct Told {
    generation: Generation,
    steps: Vec<(Part, Discriminant<Action>, Instant)>,
}

impl Told {
    /// What is done again after so long is told again.
    const AGAIN: Duration = Duration::from_secs(3600);

    fn is_new(&mut self, step: &Step, now: Instant) -> bool {
        // Routes and files follow whatever else changes.
        if matches!(step.action, Action::Configure { .. }) {
            return false;
        }
        if self.generation != step.generation {
            *self = Self { generation: step.generation, steps: Vec::new() };
        }
        self.steps.retain(|(.., at)| now.saturating_duration_since(*at) < Self::AGAIN);
        let (part, action) = (step.part, discriminant(&step.action));
        let new = self.steps.iter().all(|(told, done, _)| (*told, *done) != (part, action));
        if new {
            self.steps.push((part, action, now));
        }
        new
    }
}

impl Converger {
    /// Tells of the steps that are begun, with what each is.
    pub(super) fn tell(&mut self, intent: &Intent, begun: &[Step], acts: Vec<Act>, now: Instant) {
        if acts.is_empty() {
            return;
        }
        let (site, generation) = (intent.site, intent.generation);
        let told = self.told.entry(site).or_default();
        let new = begun.iter().zip(acts).filter_map(|(step, act)| told.is_new(step, now).then_some(act));
        let new: Vec<Act> = new.collect();
        if new.is_empty() {
            return;
        }
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Told(site, intents.acted(site, generation, new).await) });
    }

    /// What can't be kept is in the log, where the plan stands, too.
    pub(super) fn told(site: SiteId, result: Result<(), IntentsError>) {
        if let Err(error) = result {
            tracing::warn!(%site, error = super::wanted::chain(&error), "what is done to a site can't be told");
        }
    }
}
