use jiff::Timestamp;

use super::{Service, ServiceError};
use crate::code::Code;
use crate::id::SiteId;
use crate::secret::SecretRef;
use crate::site::{Generation, Release};

/// Code that is to become a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCode {
    /// Of which site.
    pub site: SiteId,
    /// What to record the result for.
    pub generation: Generation,
    /// Where it comes from.
    pub code: Code,
    /// What the source asks for.
    pub credential: Option<SecretRef>,
}

impl Service {
    /// The live sites after `after` whose code is neither a release yet nor failed.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn wanted_code(
        &self,
        after: Option<SiteId>,
        limit: usize,
    ) -> Result<Vec<WantedCode>, ServiceError> {
        todo!()
    }

    /// Keeps what became of a site's code: the release, or for the customer why there is none. Nothing
    /// happens when other code is wanted meanwhile.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Unavailable`.
    pub async fn record_release(
        &self,
        site: SiteId,
        generation: Generation,
        result: Result<Release, String>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        todo!()
    }

    /// Whether a site of this digest is left: else its archive can go.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn retry_code(&self, site: SiteId, now: Timestamp) -> Result<(), ServiceError> {
        todo!()
    }
}
