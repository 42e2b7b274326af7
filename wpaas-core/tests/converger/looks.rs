//! What looks don't show is not gone.

use std::sync::atomic::Ordering;
use std::time::Duration;

use wpaas_core::converge::simulated::Weather;
use wpaas_core::converge::{Intent, Wanted};

use crate::world::{World, intent, ready, start, until};

const HOUR: Duration = Duration::from_secs(3600);

/// A world with a site that runs, and what is there of it.
async fn running() -> (World, Intent, usize) {
    let world = start();
    let intent = intent(2);
    let site = intent.site;
    world.book.want(intent.clone());
    until("ready", || ready(&world, site)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let there = world.backend.inner.objects().len();
    (world, intent, there)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_nor_made_while_looks_are_partial_or_fail() {
    let (world, _, there) = running().await;
    let before = world.applied();
    world.backend.inner.turn(Weather { partial: 600, unseen: 400, ..Weather::calm() });
    tokio::time::sleep(HOUR).await;
    assert_eq!((world.applied(), world.backend.inner.objects().len()), (before, there));
}

/// The next listing lacks most and says that it is complete; others are good.
async fn bad_look(world: &World) {
    let before = world.backend.observed.load(Ordering::Relaxed);
    world.backend.inner.turn(Weather { lacking: 1000, ..Weather::calm() });
    until("listed", || world.backend.observed.load(Ordering::Relaxed) > before).await;
    world.backend.inner.turn(Weather::calm());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_nor_made_after_a_complete_listing_that_lacks_most() {
    let (world, _, there) = running().await;
    let before = world.applied();
    for _ in 0..50 {
        bad_look(&world).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!((world.applied(), world.backend.inner.objects().len()), (before, there));
}

#[tokio::test(start_paused = true)]
async fn in_doubt_nothing_is_removed() {
    let (world, mut intent, _) = running().await;
    let before = world.applied();
    bad_look(&world).await;
    world.backend.inner.turn(Weather { partial: 1000, ..Weather::calm() });
    (intent.generation, intent.version, intent.wanted) = (2, 2, Wanted::Rest);
    world.book.want(intent.clone());
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.applied(), before);
    world.backend.inner.turn(Weather::calm());
    // Its network and its volumes stay.
    until("it rests", || world.backend.inner.objects().len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn what_two_listings_lack_is_made_again() {
    let (world, intent, there) = running().await;
    for (_, object) in world.backend.inner.objects() {
        world.backend.inner.vanish(intent.site, object.part);
    }
    until("back", || world.backend.inner.objects().len() == there).await;
}
