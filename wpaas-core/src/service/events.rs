use tokio::sync::broadcast;

use super::{Event, EventFilter, Service, ServiceError};
use crate::access::Actor;
use crate::store::Committed;

impl Service {
    /// Events after the number `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn events(
        &self,
        actor: &Actor,
        filter: &EventFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Event>, ServiceError> {
        todo!()
    }

    /// Wakes whoever waits for events: on each item, and when lagging, ask [`Service::events`] again.
    #[must_use]
    pub fn feed(&self) -> broadcast::Receiver<Committed> {
        todo!()
    }
}
