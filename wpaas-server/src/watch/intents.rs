use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use wpaas_core::converge::{Act, Intent, Intents, IntentsError, Verdict};
use wpaas_core::id::SiteId;
use wpaas_core::metering::Look;
use wpaas_core::site::{Generation, SiteStatus, Spare};

use super::Watch;

/// Where intents come from, watched.
#[derive(Debug)]
pub struct WatchedIntents {
    /// What keeps them.
    pub inner: Arc<dyn Intents>,
    /// Who watches.
    pub watch: Watch,
}

#[async_trait]
impl Intents for WatchedIntents {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        self.inner.page(after, limit).await
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        self.inner.get(site).await
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        self.inner.record(site, status).await?;
        // A spare is no customer's site.
        if status.observed_generation > Spare::GENERATION {
            self.watch.found(site, Some(status));
        }
        Ok(())
    }

    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError> {
        self.inner.judged(site, verdict).await
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        self.inner.purged(site).await?;
        self.watch.found(site, None);
        Ok(())
    }

    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError> {
        self.inner.metered(looks).await
    }

    async fn acted(&self, site: SiteId, generation: Generation, acts: Vec<Act>) -> Result<(), IntentsError> {
        self.inner.acted(site, generation, acts).await
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}
