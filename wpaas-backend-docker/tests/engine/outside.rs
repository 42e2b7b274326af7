//! What people do behind the backend's back.

use std::time::Duration;

use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::KillContainerOptionsBuilder;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use wpaas_core::converge::{Action, Backend as _, ErrorClass, NodeSpec, ObjectState, Part, Scope};
use wpaas_core::id::SiteId;

use crate::lab::{Lab, backend, spec};
use crate::proxy::Proxy;

/// The next hint. The stream listens once it was polled; a hint of its own making shows that it does.
async fn next(changes: &mut BoxStream<'static, SiteId>) -> Option<SiteId> {
    tokio::time::timeout(Duration::from_secs(60), changes.next()).await.expect("no event")
}

/// Events of this backend, listening.
pub async fn listening(lab: &Lab) -> BoxStream<'static, SiteId> {
    let mut changes = lab.backend.changes();
    let poke = async {
        loop {
            let volume = Part::DatabaseVolume(2);
            let made = lab.make(volume, Action::CreateVolume).await;
            lab.apply(volume, Action::Remove { object: made.id }).await.unwrap();
        }
    };
    tokio::select! {
        () = poke => unreachable!(),
        heard = next(&mut changes) => assert_eq!(heard, Some(lab.site)),
    }
    // What is on its way is not what is waited for.
    while tokio::time::timeout(Duration::from_millis(300), changes.next()).await.is_ok() {}
    changes
}

#[tokio::test]
async fn a_death_and_a_removal_are_heard_of() {
    Lab::run("events", |lab| async move {
        let network = lab.network().await;
        let node = lab.node().await;
        let mut changes = listening(&lab).await;
        let begun = std::time::Instant::now();
        lab.docker.kill_container(&node.id.to_string(), None).await.unwrap();
        assert_eq!(next(&mut changes).await, Some(lab.site));
        println!("a death was heard of after {:?}", begun.elapsed());
        while tokio::time::timeout(Duration::from_millis(300), changes.next()).await.is_ok() {}
        lab.docker.remove_network(&network.id.to_string()).await.unwrap();
        assert_eq!(next(&mut changes).await, Some(lab.site));
    })
    .await;
}

#[tokio::test]
async fn a_changed_container_loses_its_fingerprint() {
    Lab::run("drift", |lab| async move {
        lab.network().await;
        let node = lab.node().await;
        let part = Part::Wordpress(0);
        let mut changes = listening(&lab).await;
        for _ in 0..2 {
            lab.backend.observe(&Scope::Fleet).await.unwrap();
        }
        assert_eq!(lab.object(part).await, Some(node.clone()), "untouched");
        let update = ContainerUpdateBody {
            memory: Some(128 << 20),
            memory_swap: Some(-1),
            ..ContainerUpdateBody::default()
        };
        lab.docker.update_container(&node.id.to_string(), update).await.unwrap();
        assert_eq!(next(&mut changes).await, Some(lab.site));
        assert_eq!(lab.object(part).await.unwrap().fingerprint, None, "by the event");
        // A server without the event finds it in turn.
        let other = backend(&lab.config);
        let seen = other.observe(&Scope::Fleet).await.unwrap();
        let seen = seen.objects.into_iter().find(|(_, object)| object.part == part).unwrap().1;
        assert_eq!((seen.fingerprint, seen.state), (None, ObjectState::Ready));
    })
    .await;
}

#[tokio::test]
async fn a_graceful_stop_does_not_hold_the_loop_up() {
    Lab::run("graceful", |lab| async move {
        lab.network().await;
        let node = lab.node().await;
        let part = Part::Wordpress(0);
        let signal = async |name: &str| {
            let options = KillContainerOptionsBuilder::new().signal(name).build();
            lab.docker.kill_container(&node.id.to_string(), Some(options)).await.unwrap();
        };
        // It does not stop before it goes on.
        signal("SIGSTOP").await;
        let leaving = lab.make(part, Action::Remove { object: node.id.clone() }).await;
        assert_eq!(leaving.state, ObjectState::Removing);
        assert_eq!(lab.object(part).await.as_ref(), Some(&leaving));
        let again = lab.make(part, Action::Remove { object: node.id.clone() }).await;
        assert_eq!(again, leaving, "asked for twice, it is one stop");
        let made = lab.apply(part, Action::CreateNode(spec(&[]))).await;
        let refusal = made.unwrap_err();
        assert_eq!(refusal.class, ErrorClass::Conflict, "{refusal}");
        signal("SIGCONT").await;
        lab.until("the first is gone", async || lab.object(part).await.is_none_or(|seen| seen.id != node.id))
            .await;
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_went_away_is_used_again() {
    Lab::run("away", |lab| async move {
        lab.network().await;
        let proxy = Proxy::start(&lab.config.host);
        let mut config = lab.config.clone();
        config.host = proxy.host();
        let backend = backend(&config);
        let mut changes = backend.changes();
        let ended = tokio::spawn(async move { while changes.next().await.is_some() {} });
        assert_eq!(backend.observe(&Scope::Fleet).await.unwrap().objects.len(), 1);
        proxy.cut().await;
        ended.await.unwrap();
        for _ in 0..2 {
            let error = backend.observe(&Scope::Fleet).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Transient);
            assert!(error.to_string().contains("DOCKER_HOST"), "{error}");
            assert!(backend.probe().await.is_err());
        }
        proxy.mend();
        assert_eq!(backend.observe(&Scope::Fleet).await.unwrap().objects.len(), 1);
        assert!(!backend.probe().await.unwrap().engine.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_look_takes_three_listings_whatever_there_is() {
    Lab::run("calls", |lab| async move {
        let proxy = Proxy::start(&lab.config.host);
        let mut config = lab.config.clone();
        config.host = proxy.host();
        let backend = backend(&config);
        backend.probe().await.unwrap();
        proxy.requests();
        backend.observe(&Scope::Fleet).await.unwrap();
        assert_eq!(proxy.requests().len(), 3, "nothing there");
        lab.network().await;
        for slot in 0..10 {
            lab.make(Part::Wordpress(slot), Action::CreateNode(NodeSpec { memory_mib: 32, ..spec(&[]) }))
                .await;
        }
        backend.observe(&Scope::Site(lab.site)).await.unwrap();
        let site = proxy.requests();
        assert_eq!(site.len(), 3, "{site:?}");
        backend.observe(&Scope::Fleet).await.unwrap();
        let fleet = proxy.requests();
        assert_eq!(fleet.len(), 3 + 8, "{fleet:?}");
    })
    .await;
}
