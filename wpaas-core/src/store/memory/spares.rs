use async_trait::async_trait;
use jiff::Timestamp;

use super::{MemoryStore, State};
use crate::id::SiteId;
use crate::secret::SecretName;
use crate::site::{Spare, SpareState};
use crate::store::{SealedSecret, SpareReads, StoreError};

impl State {
    pub(super) fn insert_spare(&mut self, spare: Spare, password: Vec<u8>) {
        self.spares.insert(spare.id, (spare, Some(password)));
    }

    pub(super) fn take_spare(&mut self, id: SiteId, at: Timestamp) {
        if let Some(secret) = self.spare_secret(id) {
            self.secrets.entry((id, secret.name, secret.version)).or_insert(secret);
        }
        self.mark_spare(id, SpareState::Taken, at);
    }

    /// It is not kept any more.
    pub(super) fn mark_spare(&mut self, id: SiteId, state: SpareState, since: Timestamp) {
        if let Some((spare, password)) = self.spares.get_mut(&id) {
            (spare.state, spare.since, *password) = (state, since, None);
        }
    }

    pub(super) fn spare_secret(&self, site: SiteId) -> Option<SealedSecret> {
        let (_, password) = self.spares.get(&site)?;
        Some(SealedSecret { site, name: SecretName::DatabasePassword, version: 1, sealed: password.clone()? })
    }
}

#[async_trait]
impl SpareReads for MemoryStore {
    async fn spares(&self) -> Result<Vec<Spare>, StoreError> {
        let state = self.state();
        let spares = state.spares.values().map(|(spare, _)| spare);
        Ok(spares.filter(|spare| spare.state == SpareState::Kept).cloned().collect())
    }

    async fn spare(&self, id: SiteId) -> Result<Option<Spare>, StoreError> {
        Ok(self.state().spares.get(&id).map(|(spare, _)| spare.clone()))
    }
}
