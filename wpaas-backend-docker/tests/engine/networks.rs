use std::collections::HashSet;

use bollard::models::NetworkDisconnectRequest;
use futures::stream::{self, StreamExt as _};
use wpaas_core::converge::{Action, Backend as _, ErrorClass, ObjectState, Part, Scope, Step};
use wpaas_core::id::SiteId;

use crate::lab::{Lab, spec};

#[tokio::test]
async fn forty_sites_have_networks_of_their_own() {
    Lab::run("forty", |lab| async move {
        let step =
            |action| Step { site: SiteId::new(), generation: 1, epoch: 1, part: Part::Network, action };
        let begun = std::time::Instant::now();
        let steps: Vec<Step> = (0..40).map(|_| step(Action::CreateNetwork)).collect();
        let made = stream::iter(&steps).map(|step| lab.backend.apply(step)).buffer_unordered(8);
        let made: Vec<_> = made.collect().await;
        println!("40 networks: {:?}", begun.elapsed());
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        let begun = std::time::Instant::now();
        let seen = lab.backend.observe(&Scope::Fleet).await.unwrap();
        println!("a look at 40 networks: {:?}", begun.elapsed());
        let addresses: HashSet<_> = seen.objects.iter().map(|(_, object)| object.address.unwrap()).collect();
        assert_eq!((seen.objects.len(), addresses.len()), (40, 40));
    })
    .await;
}

#[tokio::test]
async fn nodes_whose_network_was_deleted_are_broken() {
    Lab::run("cut-off", |lab| async move {
        let network = lab.network().await;
        let running = lab.node().await;
        let stopped = lab.make(Part::Wordpress(1), Action::CreateNode(spec(&[]))).await;
        lab.docker.kill_container(stopped.id.as_str(), None).await.unwrap();
        assert_eq!(lab.state(Part::Wordpress(1)).await, Some(ObjectState::Stopped));

        let request =
            NetworkDisconnectRequest { container: running.id.as_str().to_owned(), force: Some(true) };
        lab.docker.disconnect_network(network.id.as_str(), request).await.unwrap();
        assert_eq!(
            lab.state(Part::Wordpress(0)).await,
            Some(ObjectState::Broken),
            "it runs without a network"
        );
        lab.docker.remove_network(network.id.as_str()).await.unwrap();
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
