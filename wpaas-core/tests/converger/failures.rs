//! A backend that is away, fails or hangs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use wpaas_core::converge::{ErrorClass, Part, Wanted};
use wpaas_core::site::DatabaseSize::One;
use wpaas_core::site::{ConditionKind, Truth};

use crate::support::wanted;
use crate::world::{intent, ready, start, until};

#[tokio::test(start_paused = true)]
async fn an_unreachable_backend_is_said_so_and_nothing_is_done_until_it_is_back() {
    let world = start();
    world.backend.cut.store(true, Ordering::Relaxed);
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    let unknown = || {
        let status = world.book.found(site)?;
        let ready = status.condition(ConditionKind::Ready)?;
        Some(ready.status == Truth::Unknown && ready.message.contains("the cable is out"))
    };
    until("said so", || unknown() == Some(true)).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.applied(), 0);
    world.backend.cut.store(false, Ordering::Relaxed);
    until("ready", || ready(&world, site)).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_is_not_waited_for_ever() {
    let world = start();
    let intent = intent(1);
    let site = intent.site;
    world.backend.panicking.store(true, Ordering::Relaxed);
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
    world.backend.panicking.store(true, Ordering::Relaxed);
    assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
    until("back", || world.backend.inner.objects().len() == 6).await;
    assert!(!world.backend.panicking.load(Ordering::Relaxed), "it has panicked");
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_backs_off_says_when_it_tries_again_and_recovers() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Gateway(0), ErrorClass::Transient));
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    let says = |text: &str| {
        let status = world.book.found(site)?;
        Some(status.last_error?.contains(text) && status.next_try.is_some())
    };
    until("said so", || says("as told") == Some(true)).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tries = world.applied();
    assert!(tries < 40, "{tries} tries in ten minutes");
    *world.backend.failing.lock().unwrap() = None;
    until("ready", || ready(&world, site)).await;
    until("forgotten", || world.book.found(site).unwrap().last_error.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_tried_again_rarely_and_when_the_spec_changes() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Network, ErrorClass::Permanent));
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("said so", || world.book.found(site).is_some_and(|status| status.last_error.is_some())).await;
    let tries = || world.applied();
    until("said when", || world.book.found(site).unwrap().next_try.is_some()).await;
    let before = tries();
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert_eq!(tries(), before);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(tries() > before, "nobody has to restart it");
    *world.backend.failing.lock().unwrap() = None;
    intent.generation += 1;
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_mends_around_a_site_is_found_without_a_restart() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Network, ErrorClass::Permanent));
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    until("said so", || world.book.found(site).is_some_and(|status| status.last_error.is_some())).await;
    *world.backend.failing.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(600)).await;
    until("ready", || ready(&world, site)).await;
    until("forgotten", || world.book.found(site).unwrap().last_error.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_delays_no_other() {
    let world = start();
    let (stuck, other) = (intent(1), intent(1));
    *world.backend.hanging.lock().unwrap() = Some(stuck.site);
    world.book.want(stuck);
    let site = other.site;
    world.book.want(other);
    tokio::time::timeout(Duration::from_secs(10), until("ready", || ready(&world, site))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_with_more_steps_than_the_backend_takes_delays_no_other() {
    let world = start();
    let (mut stuck, other) = (intent(1), intent(1));
    world.book.want(stuck.clone());
    until("ready", || ready(&world, stuck.site)).await;
    *world.backend.hanging.lock().unwrap() = Some(stuck.site);
    let before = world.applied();
    stuck.generation += 1;
    stuck.wanted = Wanted::Run(wanted(20, One));
    world.book.want(stuck);
    until("its steps hang", || world.applied() > before).await;
    let site = other.site;
    world.book.want(other);
    tokio::time::timeout(Duration::from_secs(10), until("ready", || ready(&world, site))).await.unwrap();
}
