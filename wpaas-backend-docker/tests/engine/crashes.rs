//! What a crash in the middle of a step leaves is seen as such, and the step run again makes it whole.

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, VolumeCreateRequest};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
};
use tokio::io::AsyncWriteExt as _;
use wpaas_backend_docker::Images;
use wpaas_core::code::Layout;
use wpaas_core::converge::{Action, Backend as _, ErrorClass, NodeSpec, ObjectId, ObjectState, Part};

use crate::lab::{Lab, RELEASE, STAND_IN, backend, mount, release, spec};

impl Lab {
    /// A container as far as the step got.
    async fn half_made(&self, name: &str, part: Part, mounts: Vec<Mount>) -> String {
        let body = ContainerCreateBody {
            image: Some(STAND_IN.to_owned()),
            labels: Some(self.labels(part)),
            host_config: Some(HostConfig { mounts: Some(mounts), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        self.docker.create_container(Some(options), body).await.unwrap().id
    }

    /// A container that was handed these files and started.
    async fn handed(&self, name: &str, files: &[u8]) -> String {
        let body = ContainerCreateBody {
            image: Some(STAND_IN.to_owned()),
            entrypoint: Some(vec!["/bin/bash".to_owned(), "/usr/local/lib/wpaas/receive.sh".to_owned()]),
            open_stdin: Some(true),
            stdin_once: Some(true),
            labels: Some(self.labels(Part::Wordpress(0))),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let id = self.docker.create_container(Some(options), body).await.unwrap().id;
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).build();
        let mut attached = self.docker.attach_container(&id, Some(options)).await.unwrap();
        attached.input.write_all(files).await.unwrap();
        attached.input.shutdown().await.unwrap();
        self.docker.start_container(&id, None).await.unwrap();
        id
    }

    async fn half_made_volume(&self) -> String {
        let name = format!("{}-g1", self.name(RELEASE));
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(self.labels(RELEASE)),
            ..VolumeCreateRequest::default()
        };
        self.docker.create_volume(volume).await.unwrap();
        name
    }
}

#[tokio::test]
async fn a_node_without_its_files_is_made_anew() {
    Lab::run("half-node", |lab| async move {
        lab.network().await;
        let part = Part::Wordpress(0);
        let left = lab.half_made(&lab.name(part), part, Vec::new()).await;
        let seen = lab.object(part).await.unwrap();
        assert_eq!((seen.state, seen.id.to_string()), (ObjectState::Incomplete, left.clone()));
        let error = lab.apply(part, Action::StartNode { object: seen.id.clone() }).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        let made = lab.node().await;
        assert_ne!(made.id, seen.id);
        assert_eq!(lab.object(part).await, Some(made));
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_handed_a_part_of_its_files_ends() {
    Lab::run("part-files", |lab| async move {
        let mut whole = tar::Builder::new(Vec::new());
        crate::lab::add(&mut whole, "wpaas/node.conf", 0o444, b"site=none\n");
        let cut = whole.get_ref().clone();
        crate::lab::add(&mut whole, "wpaas/whole", 0o444, b"");
        for (files, ends) in [(cut, true), (whole.into_inner().unwrap(), false)] {
            let name = format!("{}-{ends}", lab.config.installation);
            let id = lab.handed(&name, &files).await;
            let running = async || lab.docker.inspect_container(&id, None).await.unwrap().state.unwrap();
            if ends {
                lab.until("it ends", async || running().await.exit_code == Some(1)).await;
            } else {
                assert_eq!(lab.file(&id, "/etc/wpaas/node.conf").await.0, "site=none\n");
            }
            assert_eq!(running().await.running, Some(!ends));
        }
    })
    .await;
}

#[tokio::test]
async fn a_node_that_can_not_start_leaves_nothing_behind() {
    Lab::run("no-start", |lab| async move {
        lab.network().await;
        lab.make(RELEASE, release(Layout::Content)).await;
        // The release can't be written, and it has no such folder to mount the uploads on.
        lab.make(Part::UploadsVolume, Action::CreateVolume).await;
        let mounts = vec![mount(RELEASE, "/a", true), mount(Part::UploadsVolume, "/a/b/c", false)];
        let action = Action::CreateNode(NodeSpec { mounts, ..spec(&[]) });
        lab.apply(Part::Wordpress(0), action).await.unwrap_err();
        assert_eq!(lab.object(Part::Wordpress(0)).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_node_waits_for_what_it_mounts() {
    Lab::run("mounts", |lab| async move {
        lab.network().await;
        lab.half_made_volume().await;
        for part in [RELEASE, Part::UploadsVolume] {
            let action = Action::CreateNode(NodeSpec { mounts: vec![mount(part, "/a", true)], ..spec(&[]) });
            let error = lab.apply(Part::Wordpress(0), action).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        }
        assert_eq!(lab.objects().await.len(), 2, "nothing was made in passing");
    })
    .await;
}

#[tokio::test]
async fn a_database_is_founded_on_the_volume_that_was_seen() {
    Lab::run("founds", |lab| async move {
        lab.network().await;
        let volume = Part::DatabaseVolume(0);
        let seen = lab.make(volume, Action::CreateVolume).await;
        let founds = |on: ObjectId| {
            let mounts = vec![mount(volume, "/var/lib/mysql", false)];
            Action::CreateNode(NodeSpec { mounts, founds: Some(on), ..spec(&[]) })
        };
        let another = ObjectId::new(&format!("{}-g0", lab.name(volume)));
        let error = lab.apply(Part::Database(0), founds(another)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        assert_eq!(lab.object(Part::Database(0)).await, None);
        let node = lab.make(Part::Database(0), founds(seen.id)).await;
        let order = lab.file(&node.id.to_string(), "/etc/wpaas/first-order").await;
        assert_eq!(order, ("found 1\n".to_owned(), 0o400, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_half_filled_release_is_filled_anew() {
    Lab::run("half-release", |lab| async move {
        let volume = lab.half_made_volume().await;
        assert_eq!(lab.state(RELEASE).await, Some(ObjectState::Incomplete), "no keeper yet");
        let at = Mount {
            target: Some("/srv/release".to_owned()),
            source: Some(volume),
            typ: Some(MountType::VOLUME),
            ..Mount::default()
        };
        lab.half_made(&format!("{}-filling", lab.name(RELEASE)), RELEASE, vec![at]).await;
        assert_eq!(lab.state(RELEASE).await, Some(ObjectState::Incomplete), "not renamed yet");
        let made = lab.make(RELEASE, release(Layout::ContentWithoutTheme)).await;
        assert_eq!(lab.objects().await, [made]);
        let keeper = lab.name(RELEASE);
        let theme = lab.file(&keeper, "/srv/wordpress/wp-content/themes/stock/style.css").await;
        assert_eq!(theme.0, "stock");
    })
    .await;
}

#[tokio::test]
async fn a_release_whose_keeper_was_removed_is_kept_again_beside_its_users() {
    Lab::run("keeper", |lab| async move {
        lab.network().await;
        let made = lab.make(RELEASE, release(Layout::Content)).await;
        let action = Action::CreateNode(NodeSpec { mounts: vec![mount(RELEASE, "/a", true)], ..spec(&[]) });
        lab.make(Part::Wordpress(0), action).await;
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        lab.docker.remove_container(&lab.name(RELEASE), Some(force)).await.unwrap();
        assert_eq!(lab.state(RELEASE).await, Some(ObjectState::Incomplete));
        let error = lab.apply(RELEASE, Action::Remove { object: made.id.clone() }).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        assert_eq!(lab.make(RELEASE, release(Layout::Content)).await, made);
        assert_eq!(lab.state(RELEASE).await, Some(ObjectState::Ready));
    })
    .await;
}

#[tokio::test]
async fn a_missing_image_is_for_later() {
    Lab::run("image", |lab| async move {
        let mut config = lab.config.clone();
        let none = "wpaas-test/none:1".to_owned();
        config.images = Images::Given { database: none.clone(), wordpress: none.clone(), gateway: none };
        let backend = backend(&config);
        let error = backend.ensure_images(&|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("wpaas-test/none:1"), "{error}");
        let step = lab.step(Part::Wordpress(0), Action::CreateNode(spec(&[])));
        let error = backend.apply(&step).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.to_string().contains("wpaas-test/none:1"), "{error}");
    })
    .await;
}
