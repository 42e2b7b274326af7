use jiff::Timestamp;

use super::{Service, ServiceError};
use crate::access::Actor;
use crate::name::{Cid, Username};
use crate::secret::Secret;

impl Service {
    /// Who this API key speaks for.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever the reason.
    pub async fn authenticate_key(&self, key: &str, now: Timestamp) -> Result<Actor, ServiceError> {
        todo!()
    }

    /// Who signs in with this password: a user of the customer `cid`, or without `cid` a customer itself.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever the reason, and after the same work.
    pub async fn authenticate_password(
        &self,
        cid: Option<&Cid>,
        username: &Username,
        password: &Secret,
    ) -> Result<Actor, ServiceError> {
        todo!()
    }
}
