//! The nodes that belong to no one site: containers on the host's network, as the sites' bridges are isolated from
//! each other.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use async_trait::async_trait;
use bollard::models::{
    ContainerCreateBody, ContainerSummary, HostConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use wpaas_core::converge::{BackendError, Fingerprint, NodeFile, NodeRole, ObjectId, ObjectState};
use wpaas_core::fleet::{FleetBackend, FleetNode, FleetObject, FleetPart, FleetStep};

use crate::DockerBackend;
use crate::archive;
use crate::backend::Inner;
use crate::engine::Connection;
use crate::error::{status, transient};
use crate::label::{FINGERPRINT, FLEET, INSTALLATION};
use crate::node::limited;
use crate::objects::node_state;

/// Where a node's program is put.
const PROGRAMS: &str = "/usr/local/bin";
/// A node's memory limit.
const MEMORY_MIB: i64 = 256;

#[async_trait]
impl FleetBackend for DockerBackend {
    async fn observe_fleet(&self) -> Result<BTreeMap<FleetPart, FleetObject>, BackendError> {
        let connection = self.inner.engine.connect().await?;
        let label = |label: String| (String::from("label"), vec![label, FLEET.to_owned()]);
        let filters = HashMap::from([label(format!("{INSTALLATION}={}", self.inner.config.installation))]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = connection.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.inner.engine.failed("listing the fleet's nodes", error))?;
        Ok(listed.iter().filter_map(object).collect())
    }

    async fn apply_fleet(&self, step: &FleetStep) -> Result<(), BackendError> {
        let connection = self.inner.engine.connect().await?;
        let task = Task { inner: &self.inner, connection };
        match step {
            FleetStep::Create(part, node) => task.create(*part, node).await,
            FleetStep::Start(_, id) => task.start(&id.to_string()).await,
            FleetStep::Tell(_, id, files) => task.tell(&id.to_string(), files).await,
            FleetStep::Remove(_, id) => task.remove(&id.to_string()).await,
        }
    }
}

fn object(summary: &ContainerSummary) -> Option<(FleetPart, FleetObject)> {
    let labels = summary.labels.as_ref()?;
    let part = labels.get(FLEET)?.parse().ok()?;
    let object = FleetObject {
        id: ObjectId::new(summary.id.as_deref()?),
        fingerprint: labels.get(FINGERPRINT).and_then(|text| Fingerprint::parse(text)),
        state: match node_state(summary.state?) {
            // The Engine starts it again by itself.
            ObjectState::Stopped if summary.state == Some(RESTARTING) => ObjectState::Removing,
            state => state,
        },
    };
    Some((part, object))
}

const RESTARTING: bollard::models::ContainerSummaryStateEnum =
    bollard::models::ContainerSummaryStateEnum::RESTARTING;

struct Task<'a> {
    inner: &'a std::sync::Arc<Inner>,
    connection: Connection,
}

impl Task<'_> {
    /// Makes the node with its files and its program, and starts it. What fails on the way is listed as incomplete.
    async fn create(&self, part: FleetPart, node: &FleetNode) -> Result<(), BackendError> {
        let image = self.inner.image(&self.connection, NodeRole::Gateway).await?;
        let installation = &self.inner.config.installation;
        let labels = HashMap::from([
            (INSTALLATION.to_owned(), installation.clone()),
            (FLEET.to_owned(), part.to_string()),
            (FINGERPRINT.to_owned(), node.fingerprint.to_string()),
        ]);
        let body = ContainerCreateBody {
            image: Some(image.name),
            entrypoint: Some(node.command.clone()),
            labels: Some(labels),
            host_config: Some(HostConfig {
                memory: Some(MEMORY_MIB << 20),
                network_mode: Some("host".to_owned()),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    maximum_retry_count: None,
                }),
                ..limited()
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("wpaas-{installation}-{part}");
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let created = self.connection.docker.create_container(Some(options), body).await;
        let id = created.map_err(|error| self.failed("creating a node of the fleet", error))?.id;
        if let Some(program) = &node.program {
            self.put_program(&id, program).await?;
        }
        self.tell(&id, &node.files).await?;
        self.start(&id).await
    }

    async fn put_program(&self, id: &str, program: &Path) -> Result<(), BackendError> {
        let unreadable = |error: std::io::Error| {
            transient(format!("the program {} can't be read", program.display())).caused_by(error)
        };
        let archive = archive::of_program(program).await.map_err(unreadable)?;
        self.unpack(id, PROGRAMS, archive).await
    }

    async fn tell(&self, id: &str, files: &[NodeFile]) -> Result<(), BackendError> {
        let archive = archive::of_node(files, &*self.inner.secrets).await?;
        self.unpack(id, "/etc", stream::once(async { Ok(archive) })).await
    }

    async fn unpack(
        &self,
        id: &str,
        path: &str,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), BackendError> {
        let options = UploadToContainerOptionsBuilder::new().path(path).build();
        let body = bollard::body_try_stream(archive.boxed());
        let put = self.connection.patient().upload_to_container(id, Some(options), body).await;
        put.map_err(|error| self.failed("giving a node of the fleet its files", error))
    }

    async fn start(&self, id: &str) -> Result<(), BackendError> {
        // A frozen one has to die first; of any other that does not run this says 409.
        match self.connection.docker.kill_container(id, None::<KillContainerOptions>).await {
            Err(error) if status(&error) == Some(409) => {}
            killed => killed.map_err(|error| self.failed("killing a node of the fleet", error))?,
        }
        let started = self.connection.docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| self.failed("starting a node of the fleet", error))
    }

    async fn remove(&self, id: &str) -> Result<(), BackendError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.connection.docker.remove_container(id, Some(options)).await {
            Err(error) if status(&error) == Some(404) => Ok(()),
            removed => removed.map_err(|error| self.failed("removing a node of the fleet", error)),
        }
    }

    fn failed(&self, what: &str, error: bollard::errors::Error) -> BackendError {
        self.inner.engine.failed(what, error)
    }
}
