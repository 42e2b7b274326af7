use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{Service, SiteView};
use crate::converge::{Intent, Intents, IntentsError};
use crate::id::SiteId;
use crate::site::SiteStatus;

/// Where the converger learns from the store what is wanted, and leaves what it found.
#[derive(Debug, Clone)]
pub struct StoreIntents {
    service: Service,
}

#[async_trait]
impl Intents for StoreIntents {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        todo!()
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        todo!()
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        todo!()
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        todo!()
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        todo!()
    }
}

impl Service {
    /// What the converger is built with.
    #[must_use]
    pub fn intents(&self) -> StoreIntents {
        todo!()
    }

    /// What is wanted of a site as it is shown: what a dry run plans from.
    #[must_use]
    pub fn intent_of(&self, site: &SiteView, now: jiff::Timestamp) -> Intent {
        todo!()
    }
}
