use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Object, Observation, Scope, Step};
use crate::id::SiteId;

/// What turns parts into something that runs. A third party's is right when the conformance suite passes.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// How it wants to be driven.
    fn capabilities(&self) -> Capabilities;

    /// What is there. The number of calls behind it grows with pages, never with sites.
    ///
    /// # Errors
    ///
    /// When nothing could be seen; a part that could not is [`super::Coverage::Partial`].
    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError>;

    /// Takes one step. Idempotent; does not wait for what the step sets going; makes no choices.
    ///
    /// # Errors
    ///
    /// `Conflict` when what is there differs from what the step was planned on, or was made by a newer
    /// `(generation, epoch)`.
    async fn apply(&self, step: &Step) -> Result<Applied, BackendError>;

    /// Hints that something of a site changed: may miss, repeat and reorder. Ends when the source is lost;
    /// it is then asked for again.
    fn changes(&self) -> BoxStream<'static, SiteId>;
}

/// How a backend wants to be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// For people: `docker`, `simulated`…
    pub name: &'static str,
    /// Whether something real runs. Where not, every answer says so.
    pub real: bool,
    /// Steps at a time, over all sites.
    pub concurrency: usize,
    /// The longest time between two listings of everything.
    pub resync: Duration,
    /// How old a listing may be when it comes.
    pub listing_lag: Duration,
    /// How long its nodes may be silent before they are replaced; `None` where what shows that they run also shows
    /// whether they work.
    pub patience: Option<Patience>,
}

/// For how long a node that runs may be silent before it is replaced. Twice as long after one in its place that was
/// replaced for that, and so on up to sixteen times, until one of them is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// One that has not been heard since it was made or started: longer than the slowest first start.
    pub unheard: Duration,
    /// One that was heard before: longer than a restart.
    pub silent: Duration,
}

/// What a step left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The part is there as this object.
    Present(Object),
    /// The part is gone.
    Absent,
    /// Nothing that a listing shows has changed.
    Told,
}

/// Why a backend could not do something.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    /// What follows from it.
    pub class: ErrorClass,
    /// For people: what, why and what to do.
    pub message: String,
    /// What it came from.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The backend's verdict on a failure; what follows is the converger's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// May work later: the site backs off.
    Transient,
    /// Too many calls: the whole backend pauses.
    Throttled {
        /// As long as it says.
        retry_after: Option<Duration>,
    },
    /// What is there is not what was planned on: look again.
    Conflict,
    /// Will not work until somebody changes something, be it the site's spec, a permission or a quota: tried again
    /// rarely.
    Permanent,
}

impl BackendError {
    /// An error of this class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), source: None }
    }

    /// With what it came from.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

/// The hints of [`Backend::changes`] that come through a channel. What was missed is found by the next look.
#[must_use]
pub fn hints(channel: broadcast::Receiver<SiteId>) -> BoxStream<'static, SiteId> {
    let next = |mut channel: broadcast::Receiver<SiteId>| async {
        loop {
            match channel.recv().await {
                Ok(site) => return Some((site, channel)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    };
    stream::unfold(channel, next).boxed()
}
