use tokio::sync::broadcast;

use super::commit::may;
use super::{Event, EventFilter, EventScope, Listed, Noun, Service, ServiceError};
use crate::access::{Action, Actor, Scope};
use crate::defaults;
use crate::store::Committed;

/// Events that are given at once, at most.
pub(super) const MOST: usize = 1000;

impl Service {
    /// A page of events after the number `after`, at most `limit`; `next` is the number to go on after.
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
    ) -> Result<Listed<Event, u64>, ServiceError> {
        self.may_read(actor, filter).await?;
        let limit = limit.clamp(1, MOST);
        let events = self.store().events(filter, after, limit + 1).await?;
        Ok(Listed::cut(events, limit, |event| event.seq))
    }

    /// The number of the last event: from where on to follow what happens now.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn last_event(&self) -> Result<u64, ServiceError> {
        Ok(self.store().last_event().await?)
    }

    /// Wakes whoever waits for events: on each item, and when lagging, ask [`Service::events`] again.
    #[must_use]
    pub fn feed(&self) -> broadcast::Receiver<Committed> {
        self.store().feed()
    }

    async fn may_read(&self, actor: &Actor, filter: &EventFilter) -> Result<(), ServiceError> {
        let action = Action::EventRead;
        match &filter.of {
            EventScope::All => may(actor, action, Scope::System, Noun::Event),
            EventScope::Customer(cid) => {
                may(actor, action, Scope::Customer(cid), Noun::Customer)?;
                let found = self.store().customer(cid).await?;
                found.map(drop).ok_or(ServiceError::not_found(Noun::Customer))
            }
            EventScope::Org(cid, org) => {
                may(actor, action, Scope::Org(cid, *org), Noun::Org)?;
                let filter = EventScope::Org(cid.clone(), *org).into();
                // One that was deleted still has its events; the default one may not be stored yet.
                let told = self.store().events(&filter, 0, 1).await?;
                let is_there = !told.is_empty() || *org == defaults::org_id(cid);
                if is_there { Ok(()) } else { Err(ServiceError::not_found(Noun::Org)) }
            }
            EventScope::Space(cid, space) => {
                let found = self.store().space(*space).await?.filter(|found| found.cid == *cid);
                let found = found.ok_or(ServiceError::not_found(Noun::Space))?;
                may(actor, action, Scope::Space(cid, found.org, found.id), Noun::Space)
            }
            EventScope::Site(cid, site) => {
                let found = self.store().site(*site).await?.filter(|found| found.site.cid == *cid);
                let found = found.ok_or(ServiceError::not_found(Noun::Site))?.site;
                may(actor, action, Scope::Space(cid, found.org, found.space), Noun::Site)
            }
        }
    }
}
