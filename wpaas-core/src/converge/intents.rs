use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{Act, Intent, Run, Verdict};
use crate::id::SiteId;
use crate::metering::Look;
use crate::site::{Generation, SiteStatus};

/// Where the converger learns what is wanted, and leaves what it found.
#[async_trait]
pub trait Intents: fmt::Debug + Send + Sync + 'static {
    /// The sites that are not purged, in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store can't be read. Nothing is concluded from that.
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError>;

    /// One site. For a purged one the intent is [`super::Wanted::Gone`]; `None` means unknown.
    ///
    /// # Errors
    ///
    /// As [`Intents::page`].
    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError>;

    /// Keeps what was found of a site. A condition whose status is as before keeps its `since`.
    ///
    /// # Errors
    ///
    /// When the store can't be written.
    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError>;

    /// Keeps what was found of the release that is tried: one that is good is wanted from then on. Nothing happens
    /// when that is kept already, or another release is tried meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Intents::record`].
    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError>;

    /// Nothing of a deleted site is left: only its tombstone stays.
    ///
    /// # Errors
    ///
    /// As [`Intents::record`].
    async fn purged(&self, site: SiteId) -> Result<(), IntentsError>;

    /// Meters what was seen of sites, in this order. Of a site that is not known nothing is kept.
    ///
    /// # Errors
    ///
    /// As [`Intents::record`]; some may be kept then, and doing so again changes nothing.
    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError>;

    /// Tells what is begun for a site of this generation that was up before: what the converger does of its own accord, or
    /// because something else is wanted now. Told once, also if that fails. By default nobody is told.
    ///
    /// # Errors
    ///
    /// As [`Intents::record`].
    async fn acted(&self, site: SiteId, generation: Generation, acts: Vec<Act>) -> Result<(), IntentsError> {
        let _nobody = (site, generation, acts);
        Ok(())
    }

    /// Hints that what is wanted of a site changed: may miss, repeat and reorder.
    fn changes(&self) -> BoxStream<'static, SiteId>;
}

/// Where a backend tells the end of what it is about to remove, so that its last hour is counted even if the
/// control plane dies in between.
#[async_trait]
pub trait Ends: fmt::Debug + Send + Sync + 'static {
    /// The run, which has an end, is kept when this returns. A site that is not known is no error.
    ///
    /// # Errors
    ///
    /// When the store can't be written: then what ran is not to be removed yet.
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError>;
}

/// The store could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("what is wanted of the sites can't be read or written now")]
pub struct IntentsError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
