//! What nodes run: built here from the embedded set-up, unless given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bollard::Docker;
use wpaas_core::converge::{BackendError, NodeRole};
use wpaas_core::node;

use crate::backend::Inner;
use crate::config::Images;
use crate::engine::Connection;
use crate::error::{status, transient};

mod base;
mod build;

/// Between a failure and the next try.
const PAUSE: Duration = Duration::from_secs(30);

const ROLES: [NodeRole; 3] = [NodeRole::Gateway, NodeRole::Wordpress, NodeRole::Database];

/// An image that is there.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub name: String,
    pub id: String,
}

/// How far the building of images is.
#[derive(Debug, Default)]
pub(crate) struct ImageShelf {
    /// Held while images are built.
    building: tokio::sync::Mutex<()>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// The last line, or what went wrong.
    line: String,
    failed: Option<Instant>,
}

impl Inner {
    /// The image of a role. A missing one is built in the background, and this step is for later.
    pub(crate) async fn image(
        self: &Arc<Self>,
        connection: &Connection,
        role: NodeRole,
    ) -> Result<Image, BackendError> {
        let name = self.image_name(role);
        let found = self.find_image(&connection.docker, &name).await?;
        found.map(|id| Image { name: name.clone(), id }).ok_or_else(|| self.missing(&name))
    }

    /// Builds what is missing, one image after the other. Waits for one who builds already.
    pub(crate) async fn ensure_images(
        &self,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), BackendError> {
        let _building = self.images.building.lock().await;
        let report = |line: &str| {
            tracing::debug!("{line}");
            line.clone_into(&mut self.images.progress().line);
            progress(line);
        };
        let ensured = self.ensure_each(&report).await;
        let mut progress = self.images.progress();
        progress.failed = ensured.is_err().then(Instant::now);
        if let Err(error) = &ensured {
            progress.line = error.to_string();
        }
        ensured
    }

    async fn ensure_each(&self, report: &(dyn Fn(&str) + Send + Sync)) -> Result<(), BackendError> {
        let connection = self.engine.connect().await?;
        let mut missing = Vec::new();
        for role in ROLES {
            if self.find_image(&connection.docker, &self.image_name(role)).await?.is_none() {
                missing.push(role);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        tracing::info!(?missing, "images are missing");
        let Images::Built { prefix, base } = &self.config.images else {
            let names: Vec<_> = missing.iter().map(|role| self.image_name(*role)).collect();
            return Err(transient(format!("the Engine has no image {}", names.join(", "))));
        };
        let base = self.base(&connection, prefix, base, report).await?;
        for role in missing {
            self.build(&connection, role, &base, report).await?;
            tracing::info!(%role, "the image is built");
        }
        Ok(())
    }

    fn image_name(&self, role: NodeRole) -> String {
        match (&self.config.images, role) {
            (Images::Built { prefix, .. }, role) => format!("{prefix}/{role}:{}", node::context_digest()),
            (Images::Given { database, .. }, NodeRole::Database) => database.clone(),
            (Images::Given { wordpress, .. }, NodeRole::Wordpress) => wordpress.clone(),
            (Images::Given { gateway, .. }, NodeRole::Gateway) => gateway.clone(),
        }
    }

    /// The id of an image; `None` if there is none of this name.
    async fn find_image(&self, docker: &Docker, name: &str) -> Result<Option<String>, BackendError> {
        match docker.inspect_image(name).await {
            Ok(image) => Ok(image.id),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.engine.failed(&format!("looking for the image {name}"), error)),
        }
    }

    fn missing(self: &Arc<Self>, name: &str) -> BackendError {
        let (line, paused) = {
            let progress = self.images.progress();
            (progress.line.clone(), progress.failed.is_some_and(|failed| failed.elapsed() < PAUSE))
        };
        let idle = self.images.building.try_lock().is_ok();
        if idle && !paused {
            let inner = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = inner.ensure_images(&|_| ()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the images can't be built");
                }
            });
        }
        if paused {
            transient(format!("the image {name} is missing: {line}"))
        } else {
            transient(format!("images are being built, {name} is not there yet: {line}"))
        }
    }
}

impl ImageShelf {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
