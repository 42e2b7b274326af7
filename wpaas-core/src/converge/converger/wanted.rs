//! Learning what is wanted.

use std::sync::Arc;

use super::{Converger, Event, Instant, Intent, IntentsError, SiteId};

impl Converger {
    /// Reads one site's intent; one reading at a time, so that an older can't overtake a newer.
    pub(super) fn load(&mut self, site: SiteId) {
        if !self.loads.running.insert(site) {
            self.loads.again.insert(site);
            return;
        }
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Loaded(site, intents.get(site).await) });
    }

    pub(super) fn loaded(
        &mut self,
        site: SiteId,
        loaded: Result<Option<Intent>, IntentsError>,
        now: Instant,
    ) {
        self.loads.running.remove(&site);
        match loaded {
            Ok(Some(intent)) => self.want(intent, now),
            Ok(None) => tracing::warn!(%site, "a site that nobody knows was said to have changed"),
            // Nothing is concluded from a store that does not answer; the next sweep reads it again.
            Err(error) => {
                tracing::warn!(%site, error = chain(&error), "what is wanted of a site can't be read");
                self.doubted.remove(&site);
            }
        }
        if self.doubted.contains_key(&site) {
            self.queue.push(site, now);
        }
        if self.loads.again.remove(&site) {
            self.load(site);
        }
    }

    /// Reads all intents, page by page.
    pub(super) fn sweep(&mut self, after: Option<SiteId>) {
        self.loads.sweeping = true;
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
        for intent in page {
            self.want(intent, now);
        }
        debug_assert!(next.is_none() || next > after, "pages go forward");
        match next {
            Some(last) => self.sweep(Some(last)),
            None => self.sweep_done(now),
        }
    }

    fn sweep_done(&mut self, now: Instant) {
        self.loads.sweeping = false;
        self.loads.next_sweep = Some(now + Self::SWEEP);
    }

    /// Takes an intent in; only a change wakes the site.
    fn want(&mut self, mut intent: Intent, now: Instant) {
        let site = intent.site;
        let known = self.wanted.get(&site);
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
        if known.is_none_or(|known| **known != intent) {
            self.wanted.insert(site, Arc::new(intent));
            self.queue.push(site, now);
        }
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
