//! Steps: each is asked of the Engine as the planner decided it.

use std::sync::Arc;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use wpaas_core::converge::{Action, Applied, BackendError, Step};

use crate::backend::Inner;
use crate::engine::Connection;
use crate::error::{conflict, status};
use crate::label::{Labels, Mark};
use crate::listing::Listing;

mod network;
mod node;
mod release;
mod remove;
mod tell;
mod volume;

/// One step on its way to the Engine.
struct Task<'a> {
    inner: &'a Arc<Inner>,
    connection: Connection,
    step: &'a Step,
}

impl Inner {
    pub(crate) async fn apply(self: &Arc<Self>, step: &Step) -> Result<Applied, BackendError> {
        let task = Task { inner: self, connection: self.engine.connect().await?, step };
        task.fence(self.memory.mark(step.site))?;
        match &step.action {
            Action::CreateNetwork => task.create_network().await,
            Action::CreateVolume => task.create_volume().await,
            Action::CreateRelease { digest, layout } => task.create_release(digest, *layout).await,
            Action::CreateNode(spec) => task.create_node(spec).await,
            Action::StartNode { object } => task.start_node(&object.to_string()).await,
            Action::Order { object, boot, order } => {
                task.configure(&object.to_string(), &[order.file(boot)]).await
            }
            Action::Configure { object, files } => task.configure(&object.to_string(), files).await,
            Action::Lead { .. } => Err(conflict("a site's address leads to its one gateway for good")),
            Action::Remove { object } => task.remove(&object.to_string()).await,
        }
    }
}

impl Task<'_> {
    fn docker(&self) -> &Docker {
        &self.connection.docker
    }

    /// What there is of the site now; refused if something of it is newer than the step.
    async fn look(&self) -> Result<Listing, BackendError> {
        let listing = self.inner.list_site(self.docker(), self.step.site).await?;
        self.fence(listing.mark())?;
        Ok(listing)
    }

    /// Refuses a step that is older than a part of its site.
    fn fence(&self, newest: Option<Mark>) -> Result<(), BackendError> {
        match newest {
            Some(newest) if newest > (self.step.generation, self.step.epoch) => Err(conflict(format!(
                "a part of {} was made for generation {} in epoch {}: this plan is old",
                self.step.site, newest.0, newest.1
            ))),
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: Error) -> BackendError {
        self.inner.engine.failed(&format!("{what} {} of {}", self.step.part, self.step.site), error)
    }

    /// The container of this id; `None` if it is gone. Refused unless it is this step's part.
    async fn container(&self, id: &str) -> Result<Option<(ContainerInspectResponse, Labels)>, BackendError> {
        let container = match self.docker().inspect_container(id, None).await {
            Ok(container) => container,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(self.failed("looking at", error)),
        };
        let labels = container.config.as_ref().and_then(|config| config.labels.clone());
        let labels = self.own(labels.as_ref())?;
        self.fence(Some(labels.mark))?;
        Ok(Some((container, labels)))
    }

    /// Refuses what is not this step's part.
    fn own(
        &self,
        labels: Option<&std::collections::HashMap<String, String>>,
    ) -> Result<Labels, BackendError> {
        let labels =
            labels.and_then(|labels| Labels::read(labels, &self.inner.config.installation).ok().flatten());
        let own = labels.filter(|labels| labels.site == self.step.site && labels.part == self.step.part);
        own.ok_or_else(|| {
            conflict(format!("what was to be {} of {} is not ours", self.step.part, self.step.site))
        })
    }

    /// Unpacks an archive in a container. As a stream, so that the client's log never holds what is in it.
    async fn unpack(&self, id: &str, path: &str, archive: Bytes) -> Result<(), Error> {
        self.unpack_stream(id, path, stream::once(async { Ok(archive) })).await
    }

    async fn unpack_stream(
        &self,
        id: &str,
        path: &str,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Error> {
        let options = UploadToContainerOptionsBuilder::new().path(path).build();
        let body = bollard::body_try_stream(archive.boxed());
        self.connection.patient().upload_to_container(id, Some(options), body).await
    }

    /// Removes a container by its id, never its volumes. One that is gone already is removed.
    async fn remove_container(&self, id: &str, force: bool) -> Result<(), BackendError> {
        let removed = remove_container(self.docker(), id, force).await;
        removed.map_err(|error| self.failed("removing", error))
    }
}

async fn remove_container(docker: &Docker, id: &str, force: bool) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::new().force(force).v(false).build();
    match docker.remove_container(id, Some(options)).await {
        Err(error) if status(&error) == Some(404) => Ok(()),
        removed => removed,
    }
}
