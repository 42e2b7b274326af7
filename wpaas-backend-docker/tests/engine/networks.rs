use std::collections::HashSet;
use std::net::IpAddr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkDisconnectRequest};
use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use wpaas_backend_docker::Publish;
use wpaas_core::converge::{
    Action, Applied, Backend as _, ErrorClass, NodeRole, NodeSpec, ObjectState, Part, Scope, Step, StepReason,
};
use wpaas_core::id::SiteId;

use crate::lab::{Lab, backend, spec};

fn step(site: SiteId, part: Part, action: Action) -> Step {
    Step { site, generation: 1, epoch: 1, part, action, why: StepReason::Missing }
}

/// Does this to each of the sites, eight at a time.
async fn each(lab: &Lab, sites: &[SiteId], part: Part, action: &Action) {
    let steps: Vec<_> = sites.iter().map(|site| step(*site, part, action.clone())).collect();
    let made = stream::iter(&steps).map(|step| lab.backend.apply(step)).buffer_unordered(8);
    let made: Vec<_> = made.collect().await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

#[tokio::test]
async fn forty_sites_have_networks_of_their_own_with_a_node_in_each() {
    Lab::run("forty", |lab| async move {
        let sites: Vec<_> = (0..40).map(|_| SiteId::new()).collect();
        each(&lab, &sites, Part::Network, &Action::CreateNetwork).await;
        each(&lab, &sites, Part::Wordpress(0), &Action::CreateNode(spec(&[]))).await;
        let seen = lab.backend.observe(&Scope::Fleet).await.unwrap();
        let of = |part| seen.objects.iter().filter(move |(_, object)| object.part == part);
        let addresses: HashSet<_> = of(Part::Network).map(|(_, object)| object.address().unwrap()).collect();
        assert_eq!(addresses.len(), 40);
        assert_eq!(of(Part::Wordpress(0)).filter(|(_, node)| node.state == ObjectState::Ready).count(), 40);
    })
    .await;
}

#[tokio::test]
async fn a_range_that_a_network_of_somebody_else_has_is_left_to_it() {
    Lab::run("foreign", |lab| async move {
        let mut config = lab.config.clone();
        config.subnets = "10.225.0.0/24".parse().unwrap();
        let backend = backend(&config);
        let ipam = IpamConfig { subnet: Some("10.225.0.64/26".to_owned()), ..IpamConfig::default() };
        let request = NetworkCreateRequest {
            name: format!("{}-foreign", config.installation),
            ipam: Some(Ipam { config: Some(vec![ipam]), ..Ipam::default() }),
            ..NetworkCreateRequest::default()
        };
        let foreign = lab.docker.create_network(request).await.unwrap().id;
        let mut made = Vec::new();
        for _ in 0..4 {
            made.push(backend.apply(&step(SiteId::new(), Part::Network, Action::CreateNetwork)).await);
        }
        let seen = backend.observe(&Scope::Fleet).await.unwrap();
        let is_there = lab.docker.inspect_network(&foreign, None).await.is_ok();
        lab.docker.remove_network(&foreign).await.unwrap();
        assert!(is_there, "it is left alone");
        let error = made.pop().unwrap().unwrap_err();
        assert!(made.iter().all(Result::is_ok), "three of four places are free: {made:?}");
        assert!(error.to_string().contains("10.225.0.0/24"), "{error}");
        let addresses: HashSet<_> =
            seen.objects.iter().map(|(_, object)| object.address().unwrap()).collect();
        let place =
            |address: IpAddr| if let IpAddr::V4(address) = address { address.octets()[3] / 64 } else { 9 };
        let places: HashSet<_> = addresses.into_iter().map(place).collect();
        assert_eq!(places, HashSet::from([0, 2, 3]));
    })
    .await;
}

#[tokio::test]
async fn nodes_whose_network_was_deleted_are_broken() {
    Lab::run("cut-off", |lab| async move {
        let network = lab.network().await;
        let running = lab.node().await;
        let stopped = lab.make(Part::Wordpress(1), Action::CreateNode(spec(&[]))).await;
        lab.docker.kill_container(&stopped.id.to_string(), None).await.unwrap();
        assert_eq!(lab.state(Part::Wordpress(1)).await, Some(ObjectState::Stopped));

        let request = NetworkDisconnectRequest { container: running.id.to_string(), force: Some(true) };
        lab.docker.disconnect_network(&network.id.to_string(), request).await.unwrap();
        assert_eq!(
            lab.state(Part::Wordpress(0)).await,
            Some(ObjectState::Broken),
            "it runs without a network"
        );
        lab.docker.remove_network(&network.id.to_string()).await.unwrap();
        for part in [Part::Wordpress(0), Part::Wordpress(1)] {
            assert_eq!(lab.state(part).await, Some(ObjectState::Broken), "{part}: no network");
        }
        let error = lab.apply(Part::Wordpress(2), Action::CreateNode(spec(&[]))).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Conflict, "{error}");

        let another = lab.network().await;
        assert_ne!(another.id, network.id);
        for part in [Part::Wordpress(0), Part::Wordpress(1)] {
            assert_eq!(lab.state(part).await, Some(ObjectState::Broken), "{part}: another network");
        }
    })
    .await;
}

#[tokio::test]
async fn a_network_with_leftovers_is_removed() {
    Lab::run("leftovers", |lab| async move {
        let network = lab.network().await;
        lab.node().await;
        lab.apply(Part::Network, Action::Remove { object: network.id.clone() }).await.unwrap();
        assert_eq!(lab.object(Part::Network).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_range_that_somebody_took_meanwhile_is_passed_over() {
    Lab::run("race", |lab| async move {
        // As many places as sites, all at once: each look is out of date at once.
        let mut config = lab.config.clone();
        config.subnets = "10.224.0.0/23".parse().unwrap();
        let backends = [backend(&config), backend(&config)];
        let apply = |n: usize| {
            let step = step(SiteId::new(), Part::Network, Action::CreateNetwork);
            let backend = backends[n % 2].clone();
            async move { backend.apply(&step).await }
        };
        for made in join_all((0..8).map(apply)).await {
            made.unwrap();
        }
        let error = apply(0).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.to_string().contains("10.224.0.0/23"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn of_two_networks_of_a_site_the_older_one_counts() {
    Lab::run("two", |lab| async move {
        let network = lab.network().await;
        // Old Engines allow it, new ones don't.
        let request = NetworkCreateRequest {
            name: lab.name(Part::Network),
            labels: Some(lab.labels(Part::Network)),
            ..NetworkCreateRequest::default()
        };
        if let Err(refusal) = lab.docker.create_network(request).await {
            assert!(refusal.to_string().contains("already exists"), "{refusal}");
        }
        assert_eq!(lab.objects().await, std::slice::from_ref(&network));
        assert_eq!(lab.network().await, network);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_is_published_where_its_address_can_not_be_reached() {
    Lab::run("publish", |lab| async move {
        let mut config = lab.config.clone();
        config.publish = Publish::Always;
        let backend = backend(&config);
        let Applied::Present(network) =
            backend.apply(&lab.step(Part::Network, Action::CreateNetwork)).await.unwrap()
        else {
            panic!("no network")
        };
        let port = network.entry.as_ref().unwrap().local_port.unwrap();
        let gateway = NodeSpec { role: NodeRole::Gateway, ..spec(&[]) };
        backend.apply(&lab.step(Part::Gateway(0), Action::CreateNode(gateway))).await.unwrap();
        // The Engine listens for the gateway.
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let seen = backend.observe(&Scope::Site(lab.site)).await.unwrap();
        assert!(seen.objects.contains(&(lab.site, network)));
    })
    .await;
}
