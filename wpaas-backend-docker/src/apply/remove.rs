use std::sync::Arc;

use bollard::errors::Error;
use bollard::models::{ContainerStateStatusEnum as Status, NetworkDisconnectRequest};
use bollard::query_parameters::{RemoveVolumeOptions, StopContainerOptions};
use jiff::Timestamp;
use wpaas_core::converge::{Applied, BackendError, Object, ObjectState, Part};

use super::{Task, remove_container};
use crate::backend::Inner;
use crate::engine::Connection;
use crate::error::{conflict, status};
use crate::label::Labels;
use crate::listing::{FoundContainer, made};
use crate::objects::object;
use crate::runs;

impl Task<'_> {
    /// Removes the step's part, which is this object.
    pub(super) async fn remove(&self, id: &str) -> Result<Applied, BackendError> {
        match self.step.part {
            Part::Network => self.remove_network(id).await,
            Part::DatabaseVolume(_) | Part::UploadsVolume => self.remove_volume(id).await,
            Part::Release(_) => self.remove_release(id).await,
            _ => self.remove_node(id).await,
        }
    }

    /// A node that runs is asked to stop, and goes when it has: that takes up to a minute, so the answer is that
    /// it is leaving. Meanwhile listings say so, the same step again changes nothing, and the event of its end
    /// is a hint. Should this process end first, the node is left stopped, and the next plan removes it.
    async fn remove_node(&self, id: &str) -> Result<Applied, BackendError> {
        let Some((container, labels)) = self.container(id).await? else { return Ok(Applied::Absent) };
        let leaving = object(&labels, id, ObjectState::Removing);
        let leaving = Object { fingerprint: labels.fingerprint, ..leaving };
        match container.state.as_ref().and_then(|state| state.status) {
            Some(Status::RUNNING | Status::RESTARTING) => {
                if self.inner.memory.leave(id) {
                    tokio::spawn(retire(
                        Arc::clone(self.inner),
                        self.connection.clone(),
                        id.to_owned(),
                        labels,
                    ));
                }
                Ok(Applied::Present(leaving))
            }
            Some(Status::REMOVING) => Ok(Applied::Present(leaving)),
            // Frozen processes can't stop gracefully.
            Some(Status::PAUSED) => {
                self.kill(id).await?;
                self.remove_stopped(id).await
            }
            _ => self.remove_stopped(id).await,
        }
    }

    /// Its end is kept first: afterwards nobody can tell it.
    async fn remove_stopped(&self, id: &str) -> Result<Applied, BackendError> {
        let Some((container, labels)) = self.container(id).await? else { return Ok(Applied::Absent) };
        self.inner.tell_end(labels.site, runs::of_container(&labels, id, &container)).await?;
        self.remove_container(id, false).await?;
        Ok(Applied::Absent)
    }

    async fn remove_volume(&self, name: &str) -> Result<Applied, BackendError> {
        let volume = match self.docker().inspect_volume(name).await {
            Ok(volume) => volume,
            Err(error) if status(&error) == Some(404) => return Ok(Applied::Absent),
            Err(error) => return Err(self.failed("looking at", error)),
        };
        let labels = self.own(Some(&volume.labels))?;
        self.fence(Some(labels.mark))?;
        let made = made(&volume.labels).filter(|_| labels.part.holds_data());
        let run = made.map(|made| runs::of_volume(&labels, name, made, Some(Timestamp::now())));
        self.inner.tell_end(labels.site, run).await?;
        let removed = self.docker().remove_volume(name, None::<RemoveVolumeOptions>).await;
        self.absent(removed)
    }

    /// The keeper first: without it, what is left is plainly not whole.
    async fn remove_release(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let mounts = |found: &&FoundContainer| found.volumes.iter().any(|volume| volume == id);
        let users = listing.containers.iter().filter(mounts);
        if let Some(user) = users.clone().find(|user| user.labels.part != self.step.part) {
            return Err(conflict(format!("{} is in use by {}", self.step.part, user.labels.part)));
        }
        let keepers = listing.containers(self.step.site, self.step.part);
        for keeper in keepers.filter(|keeper| mounts(keeper) || keeper.id == id) {
            self.remove_container(&keeper.id, true).await?;
        }
        if listing.volumes.iter().any(|volume| volume.name == id) {
            return self.remove_volume(id).await;
        }
        Ok(Applied::Absent)
    }

    /// What of the site's own is still attached is cut off first; anything else makes the Engine refuse.
    async fn remove_network(&self, id: &str) -> Result<Applied, BackendError> {
        let network = match self.docker().inspect_network(id, None).await {
            Ok(network) => network,
            Err(error) if status(&error) == Some(404) => return Ok(Applied::Absent),
            Err(error) => return Err(self.failed("looking at the", error)),
        };
        self.fence(Some(self.own(network.labels.as_ref())?.mark))?;
        let attached = network.containers.unwrap_or_default();
        if !attached.is_empty() {
            let listing = self.look().await?;
            for leftover in listing.containers.iter().filter(|found| attached.contains_key(&found.id)) {
                self.disconnect(id, &leftover.id).await?;
            }
        }
        let removed = self.docker().remove_network(id).await;
        self.absent(removed)
    }

    async fn disconnect(&self, network: &str, container: &str) -> Result<(), BackendError> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        match self.docker().disconnect_network(network, request).await {
            Err(error) if status(&error) != Some(404) => {
                Err(self.failed("cutting off a node from the", error))
            }
            _ => Ok(()),
        }
    }

    fn absent(&self, removed: Result<(), Error>) -> Result<Applied, BackendError> {
        match removed {
            Err(error) if status(&error) != Some(404) => Err(self.failed("removing", error)),
            _ => Ok(Applied::Absent),
        }
    }
}

/// Stops a container, for as long as its own time to stop allows, keeps its end, and removes it.
async fn retire(inner: Arc<Inner>, connection: Connection, id: String, labels: Labels) {
    if let Err(error) = retired(&inner, &connection, &id, &labels).await {
        tracing::warn!(%error, container = id, "a node could not be stopped and removed");
    }
    inner.memory.left(&id);
}

async fn retired(
    inner: &Inner,
    connection: &Connection,
    id: &str,
    labels: &Labels,
) -> Result<(), BackendError> {
    let failed = |error| inner.engine.failed(&format!("retiring {} of {}", labels.part, labels.site), error);
    let gone = |error: &Error| status(error) == Some(404);
    match connection.docker.stop_container(id, None::<StopContainerOptions>).await {
        Err(error) if !gone(&error) => return Err(failed(error)),
        _ => {}
    }
    match connection.docker.inspect_container(id, None).await {
        Ok(stopped) => inner.tell_end(labels.site, runs::of_container(labels, id, &stopped)).await?,
        Err(error) if gone(&error) => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    remove_container(&connection.docker, id, false).await.map_err(failed)
}
