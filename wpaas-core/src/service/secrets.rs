use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::Service;
use crate::converge::Part;
use crate::id::SiteId;
use crate::secret::{Secret, SecretError, SecretRef, Secrets};

/// The store's secrets, opened with the keyring.
#[derive(Clone)]
pub struct StoreSecrets {
    service: Arc<Service>,
}

impl fmt::Debug for StoreSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecrets")
    }
}

#[async_trait]
impl Secrets for StoreSecrets {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        todo!()
    }
}

impl Service {
    /// What a backend and a release worker open secrets with.
    #[must_use]
    pub fn secrets(&self) -> StoreSecrets {
        todo!()
    }

    /// Whether this is the token that the part's node reports with. Takes the same time whatever is presented.
    #[must_use]
    pub fn verify_report_token(&self, site: SiteId, part: Part, presented: &str) -> bool {
        todo!()
    }
}
