use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use self::status::{merge, transitions};
use self::wanted::{EPOCH, intent, is_over, spare_intent};
use super::commit::{Rounds, of_site};
use super::{Noun, Service, ServiceError, SiteView};
use crate::account::Version;
use crate::converge::{Act, Ends, Intent, Intents, IntentsError, Run, Verdict, Wanted};
use crate::id::SiteId;
use crate::metering::Look;
use crate::name::Cid;
use crate::site::{Generation, SiteStatus, Tombstone};
use crate::store::{Change, Committed, EventKind, Page, SiteFacts, StoreError, StoredSite, Who, Write};

mod status;
mod wanted;

/// Of a customer's sites that are told of at once.
const PIECE: usize = 500;

/// Sites metered in one change: what is asked of the API meanwhile waits for no more of them.
const LOOKS: usize = 25;

/// Where the converger learns from the store what is wanted, and leaves what it found.
#[derive(Debug, Clone)]
pub struct StoreIntents {
    service: Service,
    clock: fn() -> Timestamp,
}

impl StoreIntents {
    /// With another clock, which decides when a grace is over.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    fn intent(&self, facts: &SiteFacts) -> Intent {
        intent(facts, self.service.settings(), self.service.challenge(), (self.clock)())
    }
}

#[async_trait]
impl Intents for StoreIntents {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        let store = self.service.store();
        // Of a spare that is taken between the two reads both tell, and the site counts.
        let spares = store.spares().await.map_err(unreadable)?;
        let facts = store.site_facts(&Page { after, limit }).await.map_err(unreadable)?;
        let sites = facts.iter().map(|facts| self.intent(facts));
        let spares = spares.iter().filter(|spare| Some(spare.id) > after);
        let mut all: Vec<_> = sites.chain(spares.filter_map(spare_intent)).collect();
        all.sort_by_key(|intent| intent.site);
        all.dedup_by_key(|intent| intent.site);
        all.truncate(limit);
        Ok(all)
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        let store = self.service.store();
        if let Some(facts) = store.site_facts_of(site).await.map_err(unreadable)? {
            return Ok(Some(self.intent(&facts)));
        }
        if let Some(intent) = store.spare(site).await.map_err(unreadable)?.as_ref().and_then(spare_intent) {
            return Ok(Some(intent));
        }
        let purged = store.tombstone(site).await.map_err(unreadable)?;
        Ok(purged.map(|stone| Intent {
            site,
            generation: stone.generation,
            version: Version::MAX,
            epoch: EPOCH,
            wanted: Wanted::Gone,
        }))
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        let store = self.service.store();
        let Some(stored) = store.site(site).await.map_err(unreadable)? else {
            return self.service.found_spare(site, status).await.map_err(unreadable);
        };
        let now = (self.clock)();
        let Some(merged) = merge(stored.status.as_ref(), status, now) else { return Ok(()) };
        let mut change = Change::at(now).aside();
        change.events = transitions(&stored, &merged.status);
        change.writes.push(Write::RecordStatus(site, Box::new(merged)));
        store.commit(change).await.map(drop).map_err(unreadable)
    }

    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError> {
        let done = self.service.judge_release(site, verdict, (self.clock)()).await;
        done.map_err(|error| IntentsError(Box::new(error)))
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        let done = self.service.purge_site(site, (self.clock)()).await;
        done.map_err(|error| IntentsError(Box::new(error)))
    }

    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError> {
        for looks in looks.chunks(LOOKS) {
            self.service.meter(looks, (self.clock)()).await.map_err(unreadable)?;
        }
        Ok(())
    }

    async fn acted(&self, site: SiteId, generation: Generation, acts: Vec<Act>) -> Result<(), IntentsError> {
        let store = self.service.store();
        let Some(StoredSite { site, .. }) = store.site(site).await.map_err(unreadable)? else {
            return Ok(());
        };
        let detail = json!({ "generation": generation, "steps": acts });
        let event = of_site(&site, Who::System, EventKind::SiteStepsTaken, detail);
        store.commit(Change::at((self.clock)()).aside().event(event)).await.map(drop).map_err(unreadable)
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        let service = self.service.clone();
        let hints = stream::unfold((service.clone(), service.feed()), async |(service, mut feed)| {
            let sites = match feed.recv().await {
                Ok(committed) => service.sites_of_commit(committed).await,
                // What was missed is found by the next resync.
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return None,
            };
            Some((stream::iter(sites), (service, feed)))
        });
        hints.flatten().boxed()
    }
}

#[async_trait]
impl Ends for StoreIntents {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        let now = (self.clock)();
        let look = Look { site, seen_at: now, complete: false, runs: vec![run], others: Vec::new() };
        self.service.meter(&[look], now).await.map_err(unreadable)
    }
}

fn unreadable(error: StoreError) -> IntentsError {
    IntentsError(Box::new(error))
}

impl Service {
    /// What the converger is built with.
    #[must_use]
    pub fn intents(&self) -> StoreIntents {
        StoreIntents { service: self.clone(), clock: Timestamp::now }
    }

    /// What is wanted of a site as it is shown: what a dry run plans from.
    #[must_use]
    pub fn intent_of(&self, view: &SiteView, now: Timestamp) -> Intent {
        let facts = SiteFacts {
            site: view.site.clone(),
            customer: view.customer,
            org_name: Some(view.org_name.clone()),
            founded: view.status.as_ref().is_some_and(|status| status.founded),
            challenge: view.status.as_ref().and_then(|status| status.status.challenge.clone()),
        };
        intent(&facts, self.settings(), self.challenge(), now)
    }

    async fn meter(&self, looks: &[Look], now: Timestamp) -> Result<(), StoreError> {
        let sizes = self.settings().volumes;
        let mut change = Change::at(now).aside();
        change.writes = looks.iter().map(|look| Write::Meter(look.clone(), sizes)).collect();
        if change.is_empty() {
            return Ok(());
        }
        self.store().commit(change).await.map(drop)
    }

    async fn purge_site(&self, id: SiteId, now: Timestamp) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(StoredSite { site, .. }) = self.store().site(id).await? else { return Ok(()) };
            if !is_over(&site, now) {
                return Err(ServiceError::not_found(Noun::Site));
            }
            let stone = Tombstone {
                id,
                cid: site.cid.clone(),
                org: site.org,
                generation: site.generation,
                purged_at: now,
            };
            let event = of_site(&site, Who::System, EventKind::SitePurged, json!({ "name": site.name }));
            // What was never told to have ended counts up to when it was last seen.
            let last = Look { site: id, seen_at: now, complete: true, runs: Vec::new(), others: Vec::new() };
            let change = Change::at(now)
                .write(Write::Meter(last, self.settings().volumes))
                .write(Write::PurgeSite(stone, site.version))
                .event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// The sites of which something else may be wanted after a commit.
    async fn sites_of_commit(&self, committed: Committed) -> Vec<SiteId> {
        let mut sites = committed.sites;
        for cid in committed.customers {
            match self.sites_of_customer(&cid).await {
                Ok(more) => sites.extend(more),
                Err(error) => tracing::warn!(%cid, %error, "a customer's sites wait for the next resync"),
            }
        }
        sites
    }

    async fn sites_of_customer(&self, cid: &Cid) -> Result<Vec<SiteId>, StoreError> {
        let mut page = Page::first(PIECE);
        let mut all = Vec::new();
        loop {
            let sites = self.store().sites_of(cid, None, &page).await?;
            all.extend(sites.iter().map(|site| site.id));
            page.after = all.last().copied();
            if sites.len() < PIECE {
                return Ok(all);
            }
        }
    }
}
