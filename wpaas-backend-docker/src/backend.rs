use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use wpaas_core::code::ReleaseStore;
use wpaas_core::converge::{Applied, Backend, BackendError, Capabilities, Ends, Observation, Scope, Step};
use wpaas_core::id::SiteId;
use wpaas_core::secret::Secrets;

use crate::config::{DockerConfig, Publish};
use crate::engine::{Connection, Engine, EngineVersion};
use crate::images::ImageShelf;
use crate::memory::Memory;
use crate::subnet::Pool;

/// Runs sites as containers of one Docker Engine.
///
/// Making one does not connect: an Engine that is not there yet, or goes away, shows as transient errors, and
/// is used again as soon as it answers.
#[derive(Debug, Clone)]
pub struct DockerBackend {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub config: DockerConfig,
    pub engine: Engine,
    pub secrets: Arc<dyn Secrets>,
    pub releases: Arc<dyn ReleaseStore>,
    pub ends: Arc<dyn Ends>,
    pub memory: Memory,
    pub images: ImageShelf,
}

impl DockerBackend {
    /// A backend with this configuration, where it gets secrets and releases when a step refers to them, and where
    /// it leaves the ends of what it removes.
    #[must_use]
    pub fn new(
        config: DockerConfig,
        secrets: Arc<dyn Secrets>,
        releases: Arc<dyn ReleaseStore>,
        ends: Arc<dyn Ends>,
    ) -> Self {
        let engine = Engine::new(&config.host);
        let inner = Inner {
            config,
            engine,
            secrets,
            releases,
            ends,
            memory: Memory::default(),
            images: ImageShelf::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Sees to it that the images are there, building them if need be, which takes minutes. `progress` gets
    /// a line at a time. Call it once at the start, in the background: until it is done, steps that make
    /// nodes are transient failures; images lost later are built again when a step misses them.
    ///
    /// # Errors
    ///
    /// When they can't be built now; says what is missing. A step that needs them tries again.
    pub async fn ensure_images(&self, progress: &(dyn Fn(&str) + Send + Sync)) -> Result<(), BackendError> {
        self.inner.ensure_images(progress).await
    }

    /// Asks the Engine for its version: fit for a readiness probe.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn probe(&self) -> Result<EngineVersion, BackendError> {
        self.inner.engine.version().await
    }
}

#[async_trait]
impl Backend for DockerBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "docker",
            real: true,
            concurrency: 8,
            // Events tell of the rest at once.
            resync: Duration::from_secs(10),
            listing_lag: Duration::ZERO,
            patience: None,
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.inner.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.inner.apply(step).await
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}

impl Inner {
    /// The pool of subnets, where gateways get a port on 127.0.0.1.
    pub(crate) fn ports(&self, connection: &Connection) -> Option<Pool> {
        let publish = match self.config.publish {
            Publish::Auto => connection.desktop || connection.remote,
            Publish::Never => false,
            Publish::Always => true,
        };
        publish.then_some(self.config.subnets)
    }
}
