//! A site comes up, comes back and goes, whatever happens to the server meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use wpaas_core::converge::{Part, View, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::Three;
use wpaas_core::site::{ConditionKind, Truth};

use crate::world::{World, intent, ready, start, until};

#[tokio::test(start_paused = true)]
async fn a_site_comes_up_and_comes_back() {
    let world = start();
    let intent = intent(2);
    let site = intent.site;
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
    until("complete", || world.book.found(site).is_some_and(|status| status.num_instances == 2)).await;
    let before = world.backend.inner.objects().len();
    assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
    assert_eq!(world.backend.inner.objects().len(), before - 1);
    until("back", || world.backend.inner.objects().len() == before).await;
    until("settled", || {
        let status = world.book.found(site).unwrap();
        status.condition(ConditionKind::Progressing).unwrap().status == Truth::False
    })
    .await;
    let handle = world.handle.lock().unwrap().clone();
    assert!(handle.explain(site).await.unwrap().is_empty());
}

/// Sites that have come up.
async fn fleet(world: &World) -> Vec<SiteId> {
    let sites: Vec<SiteId> = (0..20)
        .map(|_| {
            let intent = intent(1);
            let site = intent.site;
            world.book.want(intent);
            site
        })
        .collect();
    for site in &sites {
        until("ready", || ready(world, *site)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    sites
}

/// That a node has not reported yet means nothing right after a start, and something once it has had the time.
#[tokio::test(start_paused = true)]
async fn after_a_start_nodes_have_the_time_to_report() {
    let mut world = start();
    let sites = fleet(&world).await;
    world.restart();
    world.deafen();
    tokio::time::sleep(View::STALE / 2).await;
    assert!(sites.iter().all(|site| ready(&world, *site)));
    tokio::time::sleep(View::STALE).await;
    assert!(!sites.iter().any(|site| ready(&world, *site)));
}

/// What is listed before it was read is waited for, not asked for one by one.
#[tokio::test(start_paused = true)]
async fn after_a_start_no_site_is_read_by_itself() {
    let mut world = start();
    fleet(&world).await;
    let before = world.book.read.load(Ordering::Relaxed);
    world.restart();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.book.read.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn a_converged_fleet_takes_no_step() {
    let world = start();
    fleet(&world).await;
    let before = world.applied();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.applied(), before);
}

#[tokio::test(start_paused = true)]
async fn a_server_killed_at_any_moment_of_a_creation_or_deletion_goes_on_where_it_was() {
    for steps in 1..30 {
        let mut world = start();
        let mut intent = intent(2);
        if let Wanted::Run(run) = &mut intent.wanted {
            run.database = Three;
        }
        let site = intent.site;
        world.book.want(intent.clone());
        until("some steps", || world.applied() >= steps || ready(&world, site)).await;
        world.restart();
        let complete = || {
            world
                .book
                .found(site)
                .is_some_and(|status| status.num_instances == 2 && status.database_instances == 3)
        };
        until("complete", complete).await;
        assert_eq!(world.backend.inner.objects().len(), 1 + 4 + 3 + 2 + 1);
        intent.generation += 1;
        intent.wanted = Wanted::Gone;
        let before = world.applied();
        world.book.want(intent);
        until("some removed", || world.applied() >= before + steps.min(11)).await;
        world.restart();
        until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
        assert_eq!(world.backend.inner.objects(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_site_leaves_nothing_and_a_stopped_converger_stops() {
    let mut world = start();
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("ready", || ready(&world, site)).await;
    intent.generation += 1;
    intent.wanted = Wanted::Gone;
    world.book.want(intent);
    until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
    assert_eq!(world.backend.inner.objects(), []);
    world.stop.take().unwrap().send(()).unwrap();
    world.running.await.unwrap();
}
