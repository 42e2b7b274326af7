//! What ran is metered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use wpaas_core::converge::{Ends, Intents as _, IntentsError, Run, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::metering::{Look, Meter, MeterState};

use crate::world::{Book, World, intent, ready, start, until};

/// The ends that a backend leaves, with the looks.
#[async_trait]
impl Ends for Book {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        let look = Look { site, seen_at: NOW, complete: false, runs: vec![run], others: Vec::new() };
        self.metered(vec![look]).await
    }
}

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

#[tokio::test(start_paused = true)]
async fn what_ran_is_metered_and_its_end_before_the_site_is_forgotten() {
    let mut world = start();
    let ticks = || {
        static SECONDS: AtomicUsize = AtomicUsize::new(0);
        let seconds = SECONDS.fetch_add(1, Ordering::Relaxed);
        NOW + jiff::SignedDuration::from_secs(seconds.try_into().unwrap())
    };
    world.backend.inner.keep_time(ticks, world.book.clone());
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("ready", || ready(&world, site)).await;
    let runs = |world: &World| -> usize {
        let metered = world.book.metered.lock().unwrap();
        metered.iter().map(|look| look.runs.len()).max().unwrap_or(0)
    };
    // Three nodes and two volumes.
    until("metered", || runs(&world) == 5).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let before = world.book.metered.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(240)).await;
    assert_eq!(
        world.book.metered.lock().unwrap().len(),
        before,
        "a quiet site is metered every five minutes"
    );
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.book.metered.lock().unwrap().len(), before + 1);

    world.restart();
    intent.generation += 1;
    intent.wanted = Wanted::Gone;
    world.book.want(intent);
    until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
    let metered = world.book.metered.lock().unwrap();
    let mut meters = Vec::new();
    for look in metered.iter() {
        let advanced = wpaas_core::metering::advance(&meters, look);
        meters.retain(|old: &Meter| advanced.meters.iter().all(|new| new.object != old.object));
        meters.extend(advanced.meters);
    }
    let left = meters.iter().filter(|meter| meter.state == MeterState::Running).count();
    assert_eq!((meters.len(), left), (5, 0), "{meters:?}");
}
