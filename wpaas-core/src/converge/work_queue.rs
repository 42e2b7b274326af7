//! When to look at which site. Pure: time is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::{SiteId, SiteMap};

/// Sites that are due, and sites with the time at which each will be; of several times for one site the earliest wins.
///
/// What is due now is taken in the order in which it became so, at a cost that does not grow with how many others are:
/// only what waits for a time is sorted.
#[derive(Debug, Default)]
pub struct WorkQueue {
    /// Each site once: without a time if it is due.
    due: SiteMap<Option<Instant>>,
    now: VecDeque<SiteId>,
    /// May hold entries that `due` no longer confirms; those are skipped.
    later: BinaryHeap<Reverse<(Instant, SiteId)>>,
}

impl WorkQueue {
    /// Entries that it keeps room for.
    const ROOM: usize = 1024;

    /// Wants the site looked at.
    pub fn add(&mut self, site: SiteId) {
        if self.due.insert(site, None) != Some(None) {
            self.now.push_back(site);
        }
    }

    /// Wants the site looked at by then.
    pub fn add_at(&mut self, site: SiteId, at: Instant) {
        let is_sooner = match self.due.get(&site) {
            None => true,
            Some(known) => known.is_some_and(|known| at < known),
        };
        if is_sooner {
            self.due.insert(site, Some(at));
            self.later.push(Reverse((at, site)));
        }
    }

    /// Takes a site that is due: one whose time has come first.
    pub fn pop(&mut self, now: Instant) -> Option<SiteId> {
        let site = self.pop_later(now).or_else(|| self.now.pop_front())?;
        self.due.remove(&site);
        self.shrink();
        Some(site)
    }

    fn pop_later(&mut self, now: Instant) -> Option<SiteId> {
        self.drop_stale();
        let Reverse((_, site)) = *self.later.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.later.pop();
        Some(site)
    }

    /// When the next site is due: now, or later.
    pub fn next_due(&mut self, now: Instant) -> Option<Instant> {
        if !self.now.is_empty() {
            return Some(now);
        }
        self.drop_stale();
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// After a rush its room is given back.
    fn shrink(&mut self) {
        if self.due.is_empty() && self.due.capacity() > Self::ROOM {
            *self = Self::default();
        }
    }

    fn drop_stale(&mut self) {
        while let Some(Reverse((at, site))) = self.later.peek() {
            if self.due.get(site) == Some(&Some(*at)) {
                return;
            }
            self.later.pop();
        }
    }
}

/// Until when a site that failed is left alone. Pure: time is an argument.
///
/// Everything that wakes a site asks here, or each resync would defeat the back-off.
#[derive(Debug, Default)]
pub struct Retries(SiteMap<Retry>);

#[derive(Debug)]
struct Retry {
    failures: u32,
    generation: u64,
    until: Instant,
}

impl Retries {
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);
    const RARELY: Duration = Duration::from_secs(600);

    /// A failure that may pass: twice as long as before, up to a minute. Returns until when.
    pub fn failed(&mut self, site: SiteId, generation: u64, now: Instant) -> Instant {
        let retry = self.0.entry(site).or_insert(Retry { failures: 0, generation, until: now });
        // Steps of one pass that fail together count once.
        if retry.generation == generation && retry.until > now {
            return retry.until;
        }
        let delay = Self::FIRST.saturating_mul(1 << retry.failures.min(6)).min(Self::LONGEST);
        let until = now + delay;
        *retry = Retry { failures: retry.failures + 1, generation, until };
        until
    }

    /// A failure that stays until somebody changes something, which need not be the spec: every ten minutes.
    /// Returns until when.
    pub fn parked(&mut self, site: SiteId, generation: u64, now: Instant) -> Instant {
        let until = now + Self::RARELY;
        self.0.insert(site, Retry { failures: 0, generation, until });
        until
    }

    /// All went well.
    pub fn succeeded(&mut self, site: SiteId) {
        self.0.remove(&site);
    }

    /// When a site of this generation may be tried: now or later.
    #[must_use]
    pub fn when(&self, site: SiteId, generation: u64, now: Instant) -> Instant {
        match self.0.get(&site) {
            Some(retry) if retry.generation == generation => retry.until.max(now),
            Some(_) | None => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_time_wins_and_a_site_is_taken_once() {
        let (mut queue, start) = (WorkQueue::default(), Instant::now());
        let (a, b) = (SiteId::new(), SiteId::new());
        queue.add_at(a, start + Duration::from_secs(5));
        queue.add_at(b, start + Duration::from_secs(3));
        queue.add_at(a, start + Duration::from_secs(1));
        queue.add_at(a, start + Duration::from_secs(9));
        assert_eq!(queue.next_due(start), Some(start + Duration::from_secs(1)));
        let later = start + Duration::from_secs(60);
        assert_eq!(
            [queue.pop(start), queue.pop(later), queue.pop(later), queue.pop(later)],
            [None, Some(a), Some(b), None]
        );
        assert_eq!(queue.next_due(later), None);
    }

    #[test]
    fn what_is_due_is_taken_once_in_order_but_after_what_waited_for_its_time() {
        let (mut queue, start) = (WorkQueue::default(), Instant::now());
        let [a, b, c] = [SiteId::new(), SiteId::new(), SiteId::new()];
        queue.add(b);
        queue.add_at(a, start + Duration::from_secs(9));
        queue.add(a);
        queue.add(b);
        queue.add_at(b, start);
        queue.add_at(c, start + Duration::from_secs(1));
        assert_eq!(queue.next_due(start), Some(start));
        assert_eq!(queue.pop(start), Some(b));
        let later = start + Duration::from_secs(60);
        assert_eq!([queue.pop(later), queue.pop(later), queue.pop(later)], [Some(c), Some(a), None]);
        assert_eq!(queue.next_due(later), None);
    }

    #[test]
    fn a_failing_site_is_left_alone_longer_and_longer_until_its_spec_changes() {
        let (mut retries, site, mut now) = (Retries::default(), SiteId::new(), Instant::now());
        let mut delays = Vec::new();
        for _ in 0..8 {
            let until = retries.failed(site, 1, now);
            assert_eq!(retries.failed(site, 1, now), until, "failures of one pass count once");
            assert_eq!(retries.when(site, 1, now), until);
            delays.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(retries.when(site, 2, now - Duration::from_secs(5)), now - Duration::from_secs(5));
        let until = retries.parked(site, 2, now);
        assert_eq!((until - now).as_secs(), 600);
        assert_eq!(retries.failed(site, 2, now), until, "what fails besides does not shorten it");
        assert_eq!((retries.when(site, 2, now), retries.when(site, 3, now)), (until, now));
        let later = retries.failed(site, 3, now);
        assert!(now < later && later < until, "what another spec met is not waited for");
        assert_eq!(retries.when(site, 3, now), later);
        retries.succeeded(site);
        assert_eq!(retries.when(site, 3, now), now);
    }
}
