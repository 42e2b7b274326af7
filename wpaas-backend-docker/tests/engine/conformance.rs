//! The suite that every backend must pass, on the real Engine with stand-ins for the nodes.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::models::{ContainerCreateBody, ContainerUpdateBody, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use futures::FutureExt as _;
use wpaas_backend_docker::DockerBackend;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::conformance::{self, Canaries, Fixture, Outside};
use wpaas_core::converge::{Backend, Object, ObjectId, Part, Report};
use wpaas_core::id::SiteId;

use crate::fakes::{Archives, Told};
use crate::lab::{Lab, STAND_IN, clean};

#[derive(Debug)]
struct World(Arc<Lab>);

impl World {
    /// Who else might use this Engine.
    fn another(&self) -> String {
        format!("{}-other", self.0.config.installation)
    }

    /// As the backend would label a part of the site, were it the other installation's.
    fn foreign(&self, site: SiteId, part: Part) -> HashMap<String, String> {
        let mut labels = self.0.labels(part);
        labels.insert("wpaas.installation".to_owned(), self.another());
        labels.insert("wpaas.site".to_owned(), site.to_string());
        labels
    }
}

#[async_trait]
impl Fixture for World {
    fn server(&self) -> Arc<dyn Backend> {
        let ends = Arc::new(Told::default());
        Arc::new(DockerBackend::new(self.0.config.clone(), Arc::new(Canaries), Arc::new(Archives), ends))
    }

    fn release(&self) -> Option<(Digest, Layout)> {
        Some((Digest::from_sha256([7; 32]), Layout::ContentWithoutTheme))
    }

    fn hints(&self) -> bool {
        true
    }

    async fn outside(&self, _: SiteId, object: &Object, what: Outside) -> bool {
        let (docker, id) = (&self.0.docker, &object.id.to_string());
        match (what, object.part) {
            (Outside::Kill, _) => docker.kill_container(id, None).await.unwrap(),
            (Outside::Freeze, _) => docker.pause_container(id).await.unwrap(),
            (Outside::Vanish, Part::Network) => docker.remove_network(id).await.unwrap(),
            (Outside::Vanish, part) if part.is_node() => {
                let force = RemoveContainerOptionsBuilder::new().force(true).build();
                docker.remove_container(id, Some(force)).await.unwrap();
            }
            (Outside::Vanish, _) => docker.remove_volume(id, None::<RemoveVolumeOptions>).await.unwrap(),
            (Outside::Edit, _) => {
                let memory = ContainerUpdateBody {
                    memory: Some(96 << 20),
                    memory_swap: Some(-1),
                    ..ContainerUpdateBody::default()
                };
                docker.update_container(id, memory).await.unwrap();
            }
        }
        true
    }

    async fn decoys(&self, site: SiteId) -> Vec<(Part, ObjectId)> {
        let (docker, name) = (&self.0.docker, self.another());
        let body = ContainerCreateBody {
            image: Some(STAND_IN.to_owned()),
            labels: Some(self.foreign(site, Part::Gateway(0))),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let container = docker.create_container(Some(options), body).await.unwrap().id;
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(self.foreign(site, Part::UploadsVolume)),
            ..VolumeCreateRequest::default()
        };
        docker.create_volume(volume).await.unwrap();
        let labels = Some(self.foreign(site, Part::Network));
        let request = NetworkCreateRequest { name: name.clone(), labels, ..NetworkCreateRequest::default() };
        let network = docker.create_network(request).await.unwrap().id;
        [(Part::Gateway(0), container), (Part::UploadsVolume, name), (Part::Network, network)]
            .map(|(part, id)| (part, ObjectId::new(&id)))
            .to_vec()
    }

    async fn is_untouched(&self, part: Part, decoy: &ObjectId) -> bool {
        let (docker, id) = (&self.0.docker, &decoy.to_string());
        match part {
            Part::Network => docker.inspect_network(id, None).await.is_ok(),
            Part::UploadsVolume => docker.inspect_volume(id).await.is_ok(),
            _ => docker.inspect_container(id, None).await.is_ok(),
        }
    }

    async fn blind(&self) -> bool {
        let mut labels = self.0.labels(Part::UploadsVolume);
        labels.insert("wpaas.part".to_owned(), "of-another-age".to_owned());
        let name = Some(format!("{}-odd", self.0.config.installation));
        let volume = VolumeCreateRequest { name, labels: Some(labels), ..VolumeCreateRequest::default() };
        self.0.docker.create_volume(volume).await.unwrap();
        true
    }

    async fn shown(&self, _: SiteId, object: &Object) -> String {
        let (docker, id) = (&self.0.docker, &object.id.to_string());
        match object.part {
            Part::Network => format!("{:?}", docker.inspect_network(id, None).await.unwrap()),
            part if part.is_node() => format!("{:?}", docker.inspect_container(id, None).await.unwrap()),
            _ => format!("{:?}", docker.inspect_volume(id).await.unwrap()),
        }
    }

    /// A stand-in says nothing.
    async fn said(&self, _: SiteId, _: Part) -> Option<Report> {
        None
    }
}

#[tokio::test]
async fn the_docker_backend_does_what_every_backend_must() {
    Lab::run("conformance", |lab| async move {
        let world = World(lab);
        let ended = AssertUnwindSafe(conformance::all(&world)).catch_unwind().await;
        clean(&world.0.docker, &format!("wpaas.installation={}", world.another())).await;
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    })
    .await;
}
