//! Learning what is wanted.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::{Converger, Event, Instant, Intent, IntentsError, Sight, SiteId};
use crate::converge::Wanted;

/// A site as it is wanted.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) intent: Arc<Intent>,
    /// What was found of it, kept or about to be: enough of it to tell whether it is the same again.
    pub(super) found: Option<NonZeroU64>,
}

impl Converger {
    /// Reads one site's intent; one reading at a time, so that an older can't overtake a newer.
    pub(super) fn load(&mut self, site: SiteId) {
        if !self.loads.running.insert(site) {
            self.loads.again.insert(site);
            return;
        }
        let intents = self.intents.clone();
        self.tasks.spawn(async move {
            let loaded = intents.get(site).await;
            Event::Loaded(site, loaded.map(|intent| intent.map(Box::new)))
        });
    }

    pub(super) fn loaded(
        &mut self,
        site: SiteId,
        loaded: Result<Option<Box<Intent>>, IntentsError>,
        now: Instant,
    ) {
        self.loads.running.remove(&site);
        match loaded {
            Ok(Some(intent)) => self.want(*intent, now),
            Ok(None) if self.wanted.contains_key(&site) => {
                tracing::error!(%site, "the store has lost this site; its objects are left alone");
                self.forget(site);
            }
            Ok(None) => tracing::warn!(%site, "a site that nobody knows was said to have changed"),
            // Nothing is concluded from a store that does not answer; the next sweep reads it again.
            Err(error) => {
                tracing::warn!(%site, error = chain(&error), "what is wanted of a site can't be read");
                self.doubted.remove(&site);
            }
        }
        if self.doubted.contains_key(&site) {
            self.queue.add(site);
        }
        if self.loads.again.remove(&site) {
            self.load(site);
        }
    }

    /// Reads all intents, page by page.
    pub(super) fn sweep(&mut self, after: Option<SiteId>) {
        self.loads.sweeping = true;
        if after.is_none() {
            self.loads.met = 0;
        }
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Swept(after, intents.page(after, Self::PAGE).await) });
    }

    pub(super) fn swept(
        &mut self,
        after: Option<SiteId>,
        page: Result<Vec<Intent>, IntentsError>,
        now: Instant,
    ) {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = chain(&error), "what is wanted can't be read; trying again");
                self.sweep_done(now);
                return;
            }
        };
        let next = page.last().map(|intent| intent.site).filter(|_| page.len() == Self::PAGE);
        debug_assert!(next.is_none() || next > after, "pages go forward");
        // The next page is read while this one is taken in.
        if let Some(last) = next {
            self.sweep(Some(last));
        }
        self.loads.met += page.len();
        for intent in page {
            if let Some(unmet) = &mut self.loads.unmet {
                unmet.remove(&intent.site);
            }
            self.want(intent, now);
        }
        if next.is_none() {
            self.sweep_done(now);
            self.all_met(now);
        }
    }

    /// Every page was read. Where more is wanted than was met, the next sweep tells which.
    fn all_met(&mut self, now: Instant) {
        for site in std::mem::take(&mut self.loads.unknown) {
            if !self.wanted.contains_key(&site) {
                self.wake(site);
            }
        }
        match self.loads.unmet.take() {
            Some(unmet) => unmet.into_iter().for_each(|site| self.unmet(site)),
            None if self.loads.met < self.wanted.len() => {
                self.loads.unmet = Some(self.wanted.keys().copied().collect());
                self.loads.next_sweep = Some(now + Sight::SEARCH);
            }
            None => {}
        }
    }

    /// No page has this site. It may have been made since, ended by another server, or lost by the store.
    fn unmet(&mut self, site: SiteId) {
        match self.wanted.get(&site) {
            None => {}
            Some(known) if known.intent.wanted == Wanted::Gone && !self.view.has_objects(site) => {
                self.forget(site);
            }
            Some(_) => self.load(site),
        }
    }

    /// Nothing is wanted of it any more, not even that it goes.
    pub(super) fn forget(&mut self, site: SiteId) {
        self.wanted.remove(&site);
        self.errors.remove(&site);
        self.doubted.remove(&site);
        self.retries.succeeded(site);
        self.metering.forget(site);
        self.told.remove(&site);
    }

    fn sweep_done(&mut self, now: Instant) {
        self.loads.sweeping = false;
        self.loads.next_sweep = Some(now + Self::SWEEP);
    }

    /// Takes an intent in; only a change wakes the site.
    fn want(&mut self, mut intent: Intent, now: Instant) {
        let site = intent.site;
        let known = self.wanted.get(&site).map(|known| &*known.intent);
        // The epoch is no part of what is wanted.
        intent.epoch = known.map_or(intent.epoch, |known| known.epoch);
        if known.is_some_and(|known| (known.generation, known.version) > (intent.generation, intent.version))
            && self.loads.older.insert(site)
        {
            // A page that was read earlier, or a store that was put back: the site is read by itself.
            self.load(site);
            return;
        }
        self.loads.older.remove(&site);
        if known.is_none() {
            self.view.listen_to(site, now);
        }
        if known.is_none_or(|known| *known != intent) {
            let found = self.wanted.get(&site).and_then(|known| known.found);
            self.wanted.insert(site, Known { intent: Arc::new(intent), found });
            self.queue.add(site);
        }
    }

    /// Whether something else was found of the site than what was kept; it is remembered as kept then.
    pub(super) fn is_news(&mut self, site: SiteId, digest: NonZeroU64) -> bool {
        let known = self.wanted.get_mut(&site);
        known.is_some_and(|known| known.found.replace(digest) != Some(digest))
    }

    /// What was found of the site is to be kept again.
    pub(super) fn forget_found_of(&mut self, site: SiteId) {
        if let Some(known) = self.wanted.get_mut(&site) {
            known.found = None;
        }
    }

    /// What was found of every site is to be kept again.
    pub(super) fn forget_found(&mut self) {
        self.wanted.values_mut().for_each(|known| known.found = None);
    }
}

/// An error with everything that it came from.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
