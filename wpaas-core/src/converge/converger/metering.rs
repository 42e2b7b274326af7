//! Keeping what each look shows of what ran: when it changed, and now and then.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::wanted::chain;
use super::{Converger, Event, Instant, IntentsError, Observation, Scope, SiteId};
use crate::converge::{Coverage, ObjectId, Run, Wanted};
use crate::id::{SiteMap, SiteSet};
use crate::metering::Look;

/// What was metered, and what is to be.
#[derive(Debug, Default)]
pub(super) struct Metering {
    /// Whether the backend was ever seen to tell when things ran.
    begun: bool,
    /// What was metered last of each site, or is about to be, and when.
    last: SiteMap<(Instant, Shown)>,
    waiting: VecDeque<Look>,
    /// The sites that are being metered.
    running: SiteSet,
}

/// What of a look makes it worth keeping: whether it was complete, and each run's beginning and end.
#[derive(Debug, PartialEq, Eq)]
struct Shown(bool, Vec<(ObjectId, Timestamp, Option<Timestamp>)>);

impl Shown {
    fn is(&self, complete: bool, runs: &[&Run]) -> bool {
        let same = |(object, started_at, ended_at): &(_, _, _), run: &Run| {
            (object, started_at, ended_at) == (&run.object, &run.started_at, &run.ended_at)
        };
        self.0 == complete
            && self.1.len() == runs.len()
            && self.1.iter().zip(runs).all(|(shown, run)| same(shown, run))
    }

    fn of(complete: bool, runs: &[&Run]) -> Self {
        let shown = runs.iter().map(|run| (run.object.clone(), run.started_at, run.ended_at));
        Self(complete, shown.collect())
    }
}

impl Metering {
    /// What goes on is metered this often: what vanishes untold counts up to when that was done last.
    const AGAIN: Duration = Duration::from_secs(300);
    /// Looks kept in one call.
    const BATCH: usize = 1000;

    /// Whether this is worth keeping; it is remembered as kept then.
    fn is_news(&mut self, site: SiteId, complete: bool, runs: &[&Run], now: Instant) -> bool {
        let fresh = |at: &Instant| runs.is_empty() || now - *at < Self::AGAIN;
        if self.last.get(&site).is_some_and(|(at, shown)| shown.is(complete, runs) && fresh(at)) {
            return false;
        }
        self.last.insert(site, (now, Shown::of(complete, runs)));
        true
    }

    /// Whether something of the site is not kept yet.
    fn is_due(&self, site: SiteId) -> bool {
        self.running.contains(&site) || self.waiting.iter().any(|look| look.site == site)
    }

    pub(super) fn forget(&mut self, site: SiteId) {
        self.last.remove(&site);
    }
}

impl Converger {
    /// Takes in what a listing that began at this time shows.
    pub(super) fn meter(&mut self, scope: &Scope, began: Instant, seen: &Observation, now: Instant) {
        self.metering.begun |= !seen.runs.is_empty();
        if !self.metering.begun {
            return;
        }
        let mut runs: SiteMap<Vec<&Run>> = SiteMap::default();
        for (site, run) in &seen.runs {
            runs.entry(*site).or_default().push(run);
        }
        let age = now.saturating_duration_since(began) + self.backend.capabilities().listing_lag;
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        let seen_at = Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN);
        let complete = seen.coverage == Coverage::Complete;
        let mut news: SiteMap<Look> = SiteMap::default();
        for site in self.concerned(scope) {
            let runs = runs.remove(&site).unwrap_or_default();
            if self.metering.is_news(site, complete, &runs, now) {
                let runs = runs.into_iter().cloned().collect();
                news.insert(site, Look { site, seen_at, complete, runs, others: Vec::new() });
            }
        }
        self.metering.waiting.extend(with_others(news, seen));
        self.keep_looks();
    }

    /// The sites that a listing tells of, also where it shows nothing of them.
    fn concerned(&self, scope: &Scope) -> Vec<SiteId> {
        match scope {
            Scope::Fleet => self.wanted.keys().copied().collect(),
            Scope::Site(site) => self.wanted.contains_key(site).then_some(*site).into_iter().collect(),
        }
    }

    /// One call at a time, so that no older look comes after a newer.
    fn keep_looks(&mut self) {
        let Metering { waiting, running, .. } = &mut self.metering;
        if waiting.is_empty() || !running.is_empty() {
            return;
        }
        let looks: Vec<Look> = waiting.drain(..waiting.len().min(Metering::BATCH)).collect();
        running.extend(looks.iter().map(|look| look.site));
        let intents = self.intents.clone();
        self.tasks.spawn(async move {
            let kept = intents.metered(looks.clone()).await;
            Event::Metered(looks, kept)
        });
    }

    pub(super) fn metered(&mut self, looks: Vec<Look>, kept: Result<(), IntentsError>) {
        self.metering.running.clear();
        if let Err(error) = kept {
            tracing::warn!(
                error = chain(&error),
                "what was used can't be kept; trying again with the next look"
            );
            for look in looks.into_iter().rev() {
                self.metering.waiting.push_front(look);
            }
            return;
        }
        for site in looks.iter().map(|look| look.site) {
            if self.wanted.get(&site).is_some_and(|known| known.intent.wanted == Wanted::Gone) {
                self.queue.add(site);
            }
        }
        self.keep_looks();
    }

    /// Whether all that was seen of the site is metered: it may be forgotten then.
    pub(super) fn is_metered(&self, site: SiteId) -> bool {
        !self.metering.is_due(site)
    }
}

/// These looks with what else is there.
fn with_others(mut looks: SiteMap<Look>, seen: &Observation) -> impl Iterator<Item = Look> {
    if !looks.is_empty() {
        for (site, object) in &seen.objects {
            if let Some(look) = looks.get_mut(site)
                && look.runs.iter().all(|run| run.object != object.id)
            {
                look.others.push(object.id.clone());
            }
        }
    }
    looks.into_values()
}
