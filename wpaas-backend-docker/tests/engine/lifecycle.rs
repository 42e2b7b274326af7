use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use wpaas_core::code::Layout;
use wpaas_core::converge::{
    Action, Applied, Backend as _, BootId, Coverage, DatabaseOrder, ErrorClass, FileContent, Fingerprint,
    NodeFile, NodeRole, NodeSpec, Object, ObjectState, Part, Scope,
};
use wpaas_core::secret::{SecretName, SecretRef};

use crate::lab::{Lab, RELEASE, STAND_IN, mount, release, spec};

fn secret(lab: &Lab) -> NodeFile {
    let content = FileContent::Secret(SecretRef { site: lab.site, name: SecretName::Salt, version: 1 });
    NodeFile { path: "secrets/salt".to_owned(), mode: 0o440, group: "www-data", content }
}

fn routes(text: &str) -> NodeFile {
    let content = FileContent::Text(text.to_owned());
    NodeFile { path: "routes".to_owned(), mode: 0o444, group: "root", content }
}

/// Every part of a small site with a release of its own, each made twice: the second time changes nothing.
async fn whole_site(lab: &Lab) -> HashMap<Part, Object> {
    let volume = Part::DatabaseVolume(0);
    let database = NodeSpec {
        role: NodeRole::Database,
        mounts: vec![mount(volume, "/var/lib/mysql", false)],
        ..spec(&[])
    };
    let content = "/srv/wordpress/wp-content";
    let wordpress = NodeSpec {
        mounts: vec![
            mount(RELEASE, content, true),
            mount(Part::UploadsVolume, &format!("{content}/uploads"), false),
        ],
        ..spec(&[secret(lab)])
    };
    let gateway = NodeSpec { role: NodeRole::Gateway, restart: true, ..spec(&[routes("end\n")]) };
    let steps = [
        (Part::Network, Action::CreateNetwork),
        (volume, Action::CreateVolume),
        (Part::UploadsVolume, Action::CreateVolume),
        (RELEASE, release(Layout::ContentWithoutTheme)),
        (Part::Database(0), Action::CreateNode(database)),
        (Part::Wordpress(0), Action::CreateNode(wordpress)),
        (Part::Gateway(0), Action::CreateNode(gateway)),
    ];
    let mut objects = HashMap::new();
    for (part, action) in steps {
        let object = lab.make(part, action.clone()).await;
        assert_eq!(object.part, part);
        assert_eq!(object.state, ObjectState::Ready, "{part}");
        assert_eq!(lab.make(part, action).await, object, "again: {part}");
        objects.insert(part, object);
    }
    objects
}

#[tokio::test]
async fn a_site_is_made_seen_and_removed() {
    Lab::run("site", |lab| async move {
        let made = whole_site(&lab).await;
        for scope in [Scope::Site(lab.site), Scope::Fleet] {
            let seen = lab.backend.observe(&scope).await.unwrap();
            assert_eq!(seen.coverage, Coverage::Complete);
            let seen: HashMap<Part, Object> =
                seen.objects.into_iter().map(|(_, object)| (object.part, object)).collect();
            assert_eq!(seen, made);
        }
        let nobody = lab.backend.observe(&Scope::Site(wpaas_core::id::SiteId::new())).await.unwrap();
        assert_eq!(nobody.objects, []);
        let mut parts: Vec<Part> = made.keys().copied().collect();
        parts.sort();
        for part in parts.into_iter().rev() {
            let remove = || Action::Remove { object: made[&part].id.clone() };
            lab.apply(part, remove()).await.unwrap();
            lab.until("it is gone", async || lab.object(part).await.is_none()).await;
            assert_eq!(lab.apply(part, remove()).await.unwrap(), Applied::Absent, "again: {part}");
        }
        assert_eq!(lab.objects().await, []);
    })
    .await;
}

#[tokio::test]
async fn a_node_finds_its_files_names_and_code() {
    Lab::run("files", |lab| async move {
        let made = whole_site(&lab).await;
        let node = &made[&Part::Wordpress(0)].id.to_string();
        let site = lab.site;
        let conf = lab.file(node, "/etc/wpaas/node.conf").await;
        let about =
            format!("site={site}\npart=wordpress-0\nreport=http://control:8010/reports/{site}/wordpress-0\n");
        assert_eq!(conf, (about, 0o444, 0, 0));
        let salt = lab.file(node, "/etc/wpaas/secrets/salt").await;
        assert_eq!(salt, ("Salt".to_owned(), 0o440, 0, 33));
        let token = lab.file(node, "/etc/wpaas/secrets/report-token").await;
        assert_eq!(token, ("ReportToken(Wordpress(0))".to_owned(), 0o400, 0, 0));
        let theme = lab.file(node, "/srv/wordpress/wp-content/themes/stock/style.css").await;
        assert_eq!(theme.0, "stock");
        let code = lab.file(node, "/srv/wordpress/wp-content/plugins/release.txt").await;
        assert!(code.0.starts_with("sha256:0707"), "{}", code.0);
        let inspected = lab.docker.inspect_container(node, None).await.unwrap();
        let Some(IpAddr::V4(gateway)) = made[&Part::Network].address() else { panic!("no address") };
        let host = inspected.host_config.unwrap();
        let hosts = host.extra_hosts.unwrap();
        assert!(hosts.contains(&format!("gateway-0:{gateway}")), "{hosts:?}");
        assert_eq!(host.memory, Some(64 << 20));
        let config = format!("{:?}", inspected.config.unwrap());
        assert!(!config.contains("Salt") && !config.contains("ReportToken"), "a secret shows: {config}");
    })
    .await;
}

#[tokio::test]
async fn files_that_are_too_many_to_hand_over_come_as_well() {
    Lab::run("large", |lab| async move {
        lab.network().await;
        let large = routes(&"x".repeat(2 << 20));
        let node = lab.make(Part::Gateway(0), Action::CreateNode(spec(&[large]))).await;
        let node = node.id.to_string();
        assert_eq!(lab.file(&node, "/etc/wpaas/routes").await.0.len(), 2 << 20);
        assert_eq!(lab.file(&node, "/etc/wpaas/whole").await.0, "");
        assert_eq!(lab.state(Part::Gateway(0)).await, Some(ObjectState::Ready));
    })
    .await;
}

#[tokio::test]
async fn a_running_node_is_told() {
    Lab::run("told", |lab| async move {
        lab.network().await;
        let node = lab.make(Part::Database(0), Action::CreateNode(spec(&[routes("end\n")]))).await;
        let boot = BootId::new("9f").unwrap();
        let order = DatabaseOrder::Found { number: 3 };
        let action = Action::Order { object: node.id.clone(), boot, order };
        assert_eq!(lab.apply(Part::Database(0), action.clone()).await.unwrap(), Applied::Told);
        let order = lab.file(&node.id.to_string(), "/etc/wpaas/order").await;
        assert_eq!(order, ("found 3 9f\n".to_owned(), 0o400, 0, 0));
        let configure =
            Action::Configure { object: node.id.clone(), files: vec![routes("revision=2\nend\n")] };
        assert_eq!(lab.apply(Part::Database(0), configure).await.unwrap(), Applied::Told);
        assert_eq!(lab.file(&node.id.to_string(), "/etc/wpaas/routes").await.0, "revision=2\nend\n");
        lab.docker.kill_container(&node.id.to_string(), None).await.unwrap();
        let error = lab.apply(Part::Database(0), action).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_node_that_stopped_or_froze_is_started() {
    Lab::run("start", |lab| async move {
        lab.network().await;
        let node = lab.node().await;
        let part = Part::Wordpress(0);
        let start = || Action::StartNode { object: node.id.clone() };
        lab.docker.kill_container(&node.id.to_string(), None).await.unwrap();
        assert_eq!(lab.state(part).await, Some(ObjectState::Stopped));
        assert_eq!(lab.make(part, start()).await, node);
        lab.docker.pause_container(&node.id.to_string()).await.unwrap();
        assert_eq!(lab.state(part).await, Some(ObjectState::Frozen));
        assert_eq!(lab.make(part, start()).await, node);
        assert_eq!(lab.make(part, start()).await, node, "again");
        assert_eq!(lab.object(part).await, Some(node.clone()));
        lab.docker.pause_container(&node.id.to_string()).await.unwrap();
        let removed = lab.apply(part, Action::Remove { object: node.id.clone() }).await.unwrap();
        assert_eq!(removed, Applied::Absent);
        assert_eq!(lab.apply(part, start()).await.unwrap_err().class, ErrorClass::Conflict);
    })
    .await;
}

#[tokio::test]
async fn a_node_in_the_way_is_a_conflict_and_so_is_an_older_plan() {
    Lab::run("conflict", |lab| async move {
        lab.network().await;
        lab.node().await;
        let part = Part::Wordpress(0);
        let another = NodeSpec { fingerprint: Fingerprint::of(["another"]), ..spec(&[]) };
        let error = lab.apply(part, Action::CreateNode(another)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        let mut step = lab.step(Part::UploadsVolume, Action::CreateVolume);
        (step.generation, step.epoch) = (3, 1);
        lab.backend.apply(&step).await.unwrap();
        // Another server that remembers nothing must see it too.
        for backend in [lab.backend.clone(), crate::lab::backend(&lab.config)] {
            (step.part, step.generation, step.epoch) = (Part::DatabaseVolume(0), 2, 9);
            let error = backend.apply(&step).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Conflict, "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    Lab::run("decoys", |lab| async move {
        lab.network().await;
        let docker = &lab.docker;
        let name = format!("{}-decoy", lab.config.installation);
        let foreign = HashMap::from([
            ("wpaas.installation".to_owned(), format!("{name}-other")),
            ("wpaas.site".to_owned(), lab.site.to_string()),
            ("wpaas.part".to_owned(), "wordpress-0".to_owned()),
        ]);
        let body = ContainerCreateBody {
            image: Some(STAND_IN.to_owned()),
            labels: Some(foreign.clone()),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let container = docker.create_container(Some(options), body).await.unwrap().id;
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(foreign.clone()),
            ..VolumeCreateRequest::default()
        };
        docker.create_volume(volume).await.unwrap();
        let network = NetworkCreateRequest {
            name: name.clone(),
            labels: Some(foreign),
            ..NetworkCreateRequest::default()
        };
        let network = docker.create_network(network).await.unwrap().id;

        let seen = lab.objects().await;
        assert_eq!(seen.iter().map(|object| object.part).collect::<Vec<_>>(), [Part::Network]);
        for (part, id) in [
            (Part::Wordpress(0), container.as_str()),
            (Part::UploadsVolume, name.as_str()),
            (Part::Network, network.as_str()),
        ] {
            let object = wpaas_core::converge::ObjectId::new(id);
            let error = lab.apply(part, Action::Remove { object }).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Conflict, "{part}: {error}");
        }
        // They are there to be removed.
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        docker.remove_container(&container, Some(force)).await.unwrap();
        docker.remove_network(&network).await.unwrap();
        docker.remove_volume(&name, None::<RemoveVolumeOptions>).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_object_that_can_not_be_read_makes_the_look_partial() {
    Lab::run("partial", |lab| async move {
        let mut labels = lab.labels(Part::UploadsVolume);
        labels.insert("wpaas.part".to_owned(), "of-another-age".to_owned());
        let volume = VolumeCreateRequest {
            name: Some(format!("{}-odd", lab.config.installation)),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        lab.docker.create_volume(volume).await.unwrap();
        let seen = lab.backend.observe(&Scope::Fleet).await.unwrap();
        assert_eq!((seen.coverage, seen.objects.len()), (Coverage::Partial, 0));
    })
    .await;
}
