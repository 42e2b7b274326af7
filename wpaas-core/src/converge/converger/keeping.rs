//! Keeping what was found of the sites.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;

use futures::future::join_all;
use jiff::Timestamp;

use super::wanted::chain;
use super::{Converger, Event, Instant, IntentsError, SiteId, SitePlan, SiteStatus, timestamp};
use crate::converge::{Intent, Trouble, status};
use crate::id::SiteMap;

/// What was found and is not kept yet.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Sites whose status is being kept, and what was found since: one writing at a time, so that an older status can't
    /// overwrite a newer.
    under_way: SiteMap<Option<Box<SiteStatus>>>,
    /// What is begun at the end of this turn of the loop.
    next: Vec<(SiteId, Box<SiteStatus>)>,
}

impl Keeping {
    fn keep(&mut self, site: SiteId, found: Box<SiteStatus>) {
        if let Some(next) = self.under_way.get_mut(&site) {
            *next = Some(found);
            return;
        }
        self.under_way.insert(site, None);
        self.next.push((site, found));
    }

    /// What was found of the site while it was being kept.
    fn kept(&mut self, site: SiteId) -> Option<Box<SiteStatus>> {
        let next = self.under_way.remove(&site).flatten();
        if self.under_way.is_empty() {
            self.under_way.shrink_to(Converger::PASSES);
        }
        next
    }
}

impl Converger {
    /// Keeps what was found, when it differs from what was kept.
    pub(super) fn record(
        &mut self,
        intent: &Intent,
        plan: &SitePlan,
        next_try: Option<Instant>,
        now: Instant,
    ) {
        let site = intent.site;
        // Right after a start, that a node has not reported yet means nothing.
        if let Some(until) = self.view.unheard(site, now).filter(|_| self.sight.unseen.is_none()) {
            self.queue.push(site, until);
            return;
        }
        let trouble = Trouble {
            unseen: self.sight.unseen.clone(),
            last_error: self.errors.get(&site).cloned(),
            behind: self.doubted.get(&site).copied(),
            next_try: next_try.map(|at| timestamp(at, now)),
            dns: self.dns.get(&site).cloned(),
        };
        let facts = self.view.facts(site, now);
        let found = status(intent, &facts, plan, &trouble, Timestamp::UNIX_EPOCH);
        let digest = digest(&found);
        if self.is_news(site, digest) {
            self.keeping.keep(site, Box::new(found.as_of(Timestamp::now())));
        }
    }

    /// Begins to keep what this turn of the loop has found: beside each other, but as one task. A task for each status
    /// costs a fleet's start a third of its time.
    pub(super) fn keep_found(&mut self) {
        if self.keeping.next.is_empty() {
            return;
        }
        let (intents, found) = (self.intents.clone(), std::mem::take(&mut self.keeping.next));
        self.tasks.spawn(async move {
            let intents = &*intents;
            let kept = found.iter().map(async |(site, found)| (*site, intents.record(*site, found).await));
            Event::Recorded(join_all(kept).await)
        });
    }

    pub(super) fn recorded(&mut self, kept: Vec<(SiteId, Result<(), IntentsError>)>, now: Instant) {
        for (site, result) in kept {
            let next = self.keeping.kept(site);
            match result {
                Ok(()) => {
                    if let Some(found) = next {
                        self.keeping.keep(site, found);
                    }
                }
                Err(error) => {
                    tracing::warn!(%site, error = chain(&error), "what was found can't be kept; trying again");
                    self.forget_found_of(site);
                    self.queue.push(site, now + Self::SWEEP);
                }
            }
        }
    }
}

/// Equal for statuses that say the same.
fn digest(status: &SiteStatus) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    status.hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}
