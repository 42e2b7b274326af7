//! Keeping what was found of the sites.

use std::hash::{Hash as _, Hasher as _};
use std::num::NonZeroU64;

use futures::future::join_all;
use jiff::Timestamp;
use rustc_hash::FxHasher;

use super::wanted::chain;
use super::{Converger, Event, Instant, IntentsError, SiteId, SitePlan, SiteStatus};
use crate::converge::{Facts, Intent, Trouble, status};
use crate::id::SiteMap;

/// What was found of a site.
pub(super) struct News {
    status: Box<SiteStatus>,
    /// Equal for statuses that say the same.
    digest: NonZeroU64,
}

/// What was found and is not kept yet.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Sites whose status is being kept, and what was found since: one writing at a time, so that an older status can't
    /// overwrite a newer.
    under_way: SiteMap<Option<Box<SiteStatus>>>,
    /// What is begun at the end of this turn of the loop.
    next: Vec<(SiteId, Box<SiteStatus>)>,
}

impl News {
    /// What is to be said of the site.
    pub(super) fn of(intent: &Intent, facts: &Facts, plan: &SitePlan, trouble: &Trouble) -> Self {
        let status = status(intent, facts, plan, trouble, Timestamp::UNIX_EPOCH);
        Self { digest: digest(&status), status: Box::new(status) }
    }
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
    /// Right after a start, that a node has not reported yet means nothing; until when.
    pub(super) fn too_early(&self, intent: &Intent, now: Instant) -> Option<Instant> {
        self.view.unheard(intent.site, now).filter(|_| self.sight.unseen.is_none())
    }

    /// What happens around the looks at a site that is as it is wanted; behind is a store that has lost its generation.
    pub(super) fn trouble(&self, intent: &Intent, behind: bool) -> Trouble {
        Trouble {
            unseen: self.sight.unseen.clone(),
            last_error: None,
            behind: behind.then_some(intent.generation),
            next_try: None,
            dns: self.dns.get(&intent.site).cloned(),
        }
    }

    /// Keeps what was found, when it differs from what was kept.
    pub(super) fn say(&mut self, site: SiteId, news: Result<News, Instant>) {
        match news {
            Err(until) => self.sight.heard_out = Some(until),
            Ok(News { status, digest }) => {
                if self.is_news(site, digest) {
                    self.keeping.keep(site, Box::new(status.as_of(Timestamp::now())));
                }
            }
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
                    self.queue.add_at(site, now + Self::SWEEP);
                }
            }
        }
    }
}

/// Equal for statuses that say the same.
fn digest(status: &SiteStatus) -> NonZeroU64 {
    let mut hasher = FxHasher::default();
    status.hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}
