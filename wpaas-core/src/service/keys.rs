use jiff::{SignedDuration, Timestamp};

use super::{Service, ServiceError};
use crate::access::Actor;
use crate::account::{ApiKey, Identity};
use crate::id::KeyId;
use crate::secret::Secret;

/// An API key to issue.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What its owner calls it.
    pub label: String,
    /// How long it is valid; the operator's setting without, and at most that.
    pub lifetime: Option<SignedDuration>,
}

/// An API key with its text, which is shown this once.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// As it is kept.
    pub key: ApiKey,
    /// `wpk_<id>_<secret>`.
    pub text: Secret,
}

impl Service {
    /// Issues a key that speaks for `owner`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `Invalid`.
    pub async fn create_key(
        &self,
        actor: &Actor,
        owner: &Identity,
        new: NewKey,
        now: Timestamp,
    ) -> Result<IssuedKey, ServiceError> {
        todo!()
    }

    /// The keys that speak for `owner`, also those that open nothing any more.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn keys(&self, actor: &Actor, owner: &Identity) -> Result<Vec<ApiKey>, ServiceError> {
        todo!()
    }

    /// Issues a new key in the place of this one, which stays valid for the overlap.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `wrong_lifecycle` for a key that opens nothing any more.
    pub async fn renew_key(
        &self,
        actor: &Actor,
        id: KeyId,
        now: Timestamp,
    ) -> Result<IssuedKey, ServiceError> {
        todo!()
    }

    /// Takes a key back: it opens nothing from now on. Doing so again changes nothing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn revoke_key(&self, actor: &Actor, id: KeyId, now: Timestamp) -> Result<ApiKey, ServiceError> {
        todo!()
    }
}
