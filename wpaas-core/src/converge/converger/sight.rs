//! Looking at what is there.

use std::time::Duration;

use super::wanted::chain;
use super::{
    BackendError, Converger, ErrorClass, Event, Generation, Instant, Observation, Scope, Sight, SiteId,
    timestamp,
};
use crate::converge::Coverage;

impl Converger {
    /// Above this number of hinted sites one listing of everything is cheaper.
    const MANY: usize = 16;
    /// A listing that takes longer counts as failed.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Looks at one site soon; hints that come meanwhile are one more look.
    pub(super) fn look_at(&mut self, site: SiteId, now: Instant) {
        if self.sight.unseen.is_some() {
            return;
        }
        let paused = self.paused(now).is_some();
        if paused || self.sight.sites.contains(&site) || self.sight.sites.len() >= Self::MANY {
            self.sight.pending.insert(site);
            if self.sight.pending.len() > Self::MANY {
                self.look_at_all(now);
            }
            return;
        }
        self.sight.sites.insert(site);
        self.observe(Scope::Site(site), now);
    }

    /// Lists everything, at once or when the backend's pause is over.
    pub(super) fn look_at_all(&mut self, now: Instant) {
        if self.sight.fleet {
            return;
        }
        if let Some(until) = self.paused(now) {
            self.sight.next_fleet = Some(until);
            return;
        }
        self.sight.fleet = true;
        self.sight.pending.clear();
        self.observe(Scope::Fleet, now);
    }

    fn observe(&mut self, scope: Scope, began: Instant) {
        let backend = self.backend.clone();
        self.tasks.spawn(async move {
            let seen = tokio::time::timeout(Self::PATIENCE, backend.observe(&scope)).await;
            let late = || BackendError::new(ErrorClass::Transient, "the listing took too long");
            Event::Seen(scope, began, seen.unwrap_or_else(|_| Err(late())))
        });
    }

    pub(super) fn seen(
        &mut self,
        scope: &Scope,
        began: Instant,
        seen: Result<Observation, BackendError>,
        now: Instant,
    ) {
        match scope {
            Scope::Fleet => self.sight.fleet = false,
            Scope::Site(site) => {
                self.sight.sites.remove(site);
            }
        }
        self.sight.looked = true;
        match seen {
            Ok(observation) => self.saw(scope, began, observation, now),
            Err(error) => self.saw_nothing(scope, &error, now),
        }
        for site in std::mem::take(&mut self.sight.pending) {
            self.look_at(site, now);
        }
    }

    fn saw(&mut self, scope: &Scope, began: Instant, observation: Observation, now: Instant) {
        let found = self.sight.unseen.take().is_some();
        if found {
            tracing::info!("the backend can be seen");
        }
        self.meter(scope, began, &observation, now);
        let doubted = self.view.doubts();
        for site in self.view.listed(scope, began, observation) {
            self.wake(site);
        }
        if *scope == Scope::Fleet {
            self.sight.next_fleet = Some(now + self.backend.capabilities().resync);
            self.silent_nodes(now);
        }
        self.doubt(doubted, now);
        if found || (doubted && !self.view.doubts()) {
            self.wake_all();
        }
    }

    /// Every site that is wanted is looked at again.
    fn wake_all(&mut self) {
        self.wanted.keys().for_each(|site| self.queue.add(*site));
    }

    /// The newest generation that anything of the site was made for, as far as all of it can be seen.
    pub(super) fn newest(&self, site: SiteId, now: Instant) -> Option<Generation> {
        let facts = self.view.facts(site, now);
        let is_seen = self.sight.unseen.is_none() && facts.coverage == Coverage::Complete;
        is_seen.then(|| facts.newest().unwrap_or(0))
    }

    /// What can't be believed is listed again soon.
    fn doubt(&mut self, doubted: bool, now: Instant) {
        if !self.view.doubts() {
            return;
        }
        if !doubted {
            tracing::warn!(
                "a listing lacks more than half of what was there; until others tell whether it is gone nothing is removed"
            );
        }
        let soon = now + Sight::SEARCH;
        self.sight.next_fleet = Some(self.sight.next_fleet.map_or(soon, |at| at.min(soon)));
    }

    /// A site that nobody wants is reported, never removed. While all that is wanted is being read, as after a start, nobody
    /// can say that it is not.
    pub(super) fn wake(&mut self, site: SiteId) {
        if self.wanted.contains_key(&site) {
            self.queue.add(site);
        } else if self.view.has_objects(site) {
            if self.loads.sweeping {
                self.loads.unknown.insert(site);
                return;
            }
            tracing::warn!(%site, "objects of a site that the store does not know; they are left alone");
            self.load(site);
        }
    }

    /// Wakes the sites of nodes that have had the time to report and have not: from now on, that means something. All at
    /// once, so that after a start no site needs a time of its own in the queue.
    pub(super) fn hear_out(&mut self, now: Instant) {
        if self.sight.heard_out.take_if(|until| *until <= now).is_some() {
            self.view.still_unheard().for_each(|site| self.queue.add(site));
        }
    }

    /// Wakes the sites of nodes that have not reported for too long.
    fn silent_nodes(&mut self, now: Instant) {
        let since = self.sight.last_silence_check.replace(now).unwrap_or(now);
        self.view.fell_silent(since, now).for_each(|site| self.queue.add(site));
    }

    fn saw_nothing(&mut self, scope: &Scope, error: &BackendError, now: Instant) {
        let why = chain(error);
        let search = if error.class == ErrorClass::Permanent { Sight::RARELY } else { Sight::SEARCH };
        let again = self.pause_for(error.class, now).unwrap_or(now).max(now + search);
        if *scope == Scope::Fleet || self.sight.unseen.is_some() {
            self.sight.next_fleet = Some(again);
        } else {
            // One site's listing failed: a listing of everything tells whether the backend is there at all.
            self.look_at_all(now);
            return;
        }
        if self.sight.unseen.as_ref() != Some(&why) {
            tracing::warn!(error = why, next_try = %timestamp(again, now), "the backend can't be seen");
            self.sight.unseen = Some(why);
            self.wake_all();
        }
    }
}
