use bollard::errors::Error;
use bollard::models::ContainerStateStatusEnum as Status;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptions, StartContainerOptions,
};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use wpaas_core::converge::{
    Applied, BackendError, ErrorClass, Mount, NodeSpec, Object, ObjectId, ObjectState, Part,
};

use super::Task;
use crate::error::{conflict, status};
use crate::label::Labels;
use crate::listing::{FoundContainer, Listing};
use crate::node::{self, Place};
use crate::subnet::Subnet;
use crate::{address, archive, name, objects};

/// What the Engine takes for a container that does not run yet, half of what it keeps for one (bytes).
const PIPE: usize = 512 << 10;

impl Task<'_> {
    /// Makes a node with its files and starts it.
    ///
    /// A crash on the way leaves a container that was never started, which is listed as incomplete; the step
    /// run again replaces it. A failure on the way removes it at once where it can.
    pub(super) async fn create_node(&self, spec: &NodeSpec) -> Result<Applied, BackendError> {
        let image = self.inner.image(&self.connection, spec.role).await?;
        let listing = self.look().await?;
        if let Some(there) = self.present_node(&listing, spec).await? {
            return Ok(Applied::Present(there));
        }
        let files = node::files(self.step, spec, self.inner.config.report_port);
        let archive = archive::of_node(&files, &*self.inner.secrets).await?;
        let place = self.place(&listing, spec, (&image.name, &image.id))?;
        let (labels, body) = node::body(self.step, spec, place);
        let name = name::of(self.step.site, self.step.part);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = self.docker().create_container(Some(options), body).await;
        let id = created.map_err(|error| self.failed("creating", error))?.id;
        self.fill_and_start(&id, archive).await?;
        Ok(self.started(&labels, &id))
    }

    /// What fails on the way is removed; where it can't be, it is listed as incomplete, and the planner's.
    async fn fill_and_start(&self, id: &str, archive: Bytes) -> Result<(), BackendError> {
        let started = async {
            if archive.len() > PIPE {
                self.unpack(id, "/etc", archive).await?;
            } else {
                self.hand_over(id, &archive).await?;
            }
            self.docker().start_container(id, None::<StartContainerOptions>).await
        };
        let Err(error) = started.await else { return Ok(()) };
        if let Err(left) = self.remove_container(id, true).await {
            tracing::debug!(error = %left, container = id, "a node that did not start is left behind");
        }
        Err(self.failed("starting", error))
    }

    /// Gives the Engine what the node reads as it starts, all of it before the start: a crash in between leaves a
    /// container that was never started. An archive that the Engine unpacks costs a process of the Engine's own size.
    async fn hand_over(&self, id: &str, archive: &[u8]) -> Result<(), Error> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).build();
        let mut attached = self.docker().attach_container(id, Some(options)).await?;
        attached.input.write_all(archive).await?;
        Ok(attached.input.shutdown().await?)
    }

    /// The node if it is there as wanted. What an earlier try left behind is removed; anything else is a conflict.
    async fn present_node(&self, listing: &Listing, spec: &NodeSpec) -> Result<Option<Object>, BackendError> {
        let Some(there) = listing.containers(self.step.site, self.step.part).next() else { return Ok(None) };
        let network = listing.network(self.step.site).map(|network| network.id.as_str());
        let object = objects::node(there, network);
        let leaving = object.state == ObjectState::Removing || self.inner.memory.is_leaving(&object.id);
        match object.state {
            ObjectState::Incomplete => {
                self.remove_container(&there.id, false).await?;
                Ok(None)
            }
            ObjectState::Ready if !leaving && object.fingerprint == Some(spec.fingerprint) => {
                Ok(Some(object))
            }
            _ => Err(self.in_the_way(there, leaving)),
        }
    }

    fn in_the_way(&self, there: &FoundContainer, leaving: bool) -> BackendError {
        let why = if leaving { "is on its way out" } else { "is there, and not as wanted" };
        conflict(format!("{} of {} {why} ({})", self.step.part, self.step.site, there.state))
    }

    fn place<'a>(
        &'a self,
        listing: &'a Listing,
        spec: &NodeSpec,
        image: (&'a str, &'a str),
    ) -> Result<Place<'a>, BackendError> {
        let network = listing.network(self.step.site);
        let (network, subnet) = network
            .and_then(|network| Some((network, network.subnet?)))
            .ok_or_else(|| conflict(format!("{} has no network", self.step.site)))?;
        let part = self.step.part;
        let address = address::of(subnet, part).ok_or_else(|| {
            BackendError::new(ErrorClass::Permanent, format!("{part} has no place in a site's network"))
        })?;
        if let Some(volume) = &spec.founds {
            self.founds_on(listing, volume)?;
        }
        let volumes: Result<_, _> = spec.mounts.iter().map(|mount| self.volume_of(listing, mount)).collect();
        let ports = self.inner.ports(&self.connection).filter(|_| part == Part::Gateway(0));
        Ok(Place {
            installation: &self.inner.config.installation,
            image,
            network: &network.id,
            address,
            hosts: address::hosts(subnet, &self.control(subnet)),
            volumes: volumes?,
            port: ports.and_then(|pool| address::local_port(pool, subnet)),
        })
    }

    /// Where the control plane is, seen from a node: the host's end of the bridge; on Docker Desktop the host is
    /// outside the Engine's machine.
    fn control(&self, subnet: Subnet) -> String {
        let bridge = subnet.host(address::BRIDGE).filter(|_| !self.connection.desktop);
        bridge.map_or_else(|| "host-gateway".to_owned(), |address| address.to_string())
    }

    /// The volume that a mount shows. The Engine would make a missing one, empty: so it has to be there.
    fn volume_of(&self, listing: &Listing, mount: &Mount) -> Result<String, BackendError> {
        let volume = listing.volume(self.step.site, mount.part);
        let whole = |found: &&crate::listing::FoundVolume| {
            !matches!(mount.part, Part::Release(_)) || objects::is_kept(listing, &found.name, &found.labels)
        };
        volume
            .filter(whole)
            .map(|found| found.name.clone())
            .ok_or_else(|| conflict(format!("{} of {} is not there yet", mount.part, self.step.site)))
    }

    /// A new database is founded on the volume that its plan saw, and on no other.
    fn founds_on(&self, listing: &Listing, volume: &ObjectId) -> Result<(), BackendError> {
        let there = listing.volume(self.step.site, Part::DatabaseVolume(0));
        if there.is_some_and(|found| ObjectId::new(&found.name) == *volume) {
            return Ok(());
        }
        Err(conflict(format!(
            "{} of {} is not the volume to found on",
            Part::DatabaseVolume(0),
            self.step.site
        )))
    }

    /// Starts a node that was made and stopped since.
    pub(super) async fn start_node(&self, id: &str) -> Result<Applied, BackendError> {
        let gone = || conflict(format!("{} of {} is gone", self.step.part, self.step.site));
        let (container, labels) = self.container(id).await?.ok_or_else(gone)?;
        match container.state.and_then(|state| state.status) {
            Some(Status::RUNNING) => return Ok(self.started(&labels, id)),
            // Its files may be missing.
            Some(Status::CREATED) => {
                return Err(conflict(format!("{} of {} was never whole", self.step.part, self.step.site)));
            }
            Some(Status::PAUSED) => self.kill(id).await?,
            _ => {}
        }
        let started = self.docker().start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| self.failed("starting", error))?;
        Ok(self.started(&labels, id))
    }

    /// Returns once it is dead.
    pub(super) async fn kill(&self, id: &str) -> Result<(), BackendError> {
        match self.docker().kill_container(id, None::<KillContainerOptions>).await {
            // It died by itself.
            Err(error) if status(&error) == Some(409) => Ok(()),
            killed => killed.map_err(|error| self.failed("killing", error)),
        }
    }

    fn started(&self, labels: &Labels, id: &str) -> Applied {
        self.inner.memory.made(labels);
        // When it started is looked up with the next look.
        self.inner.memory.suspect(id);
        let fingerprint = labels.fingerprint.filter(|_| !self.inner.memory.has_drifted(&ObjectId::new(id)));
        let object = objects::object(labels, id, ObjectState::Ready);
        Applied::Present(Object { id: ObjectId::new(id), fingerprint, ..object })
    }
}
