//! Who reads on after a number misses nothing, and is told once of what anybody commits.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Place, telling};
use crate::converge::Run;
use crate::metering::{Look, UsageFilter, UsageRecord};
use crate::quota::VolumeSizes;
use crate::store::sql::SqlStore;
use crate::store::{Commit as _, EventReads as _, EventScope, UsageReads as _, Write, conformance, scratch};

/// Reads on after the last number that it knows until it has seen so many: the numbers.
async fn follow(store: &SqlStore, many: usize) -> Vec<u64> {
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < many {
        let after = seen.last().copied().unwrap_or(0);
        let events = store.events(&EventScope::All.into(), after, 7).await.unwrap();
        seen.extend(events.iter().map(|event| event.seq));
        tokio::task::yield_now().await;
    }
    seen
}

/// The numbers of all events, of which there are so many.
async fn numbers(store: &SqlStore, many: usize) -> Vec<u64> {
    let events = store.events(&EventScope::All.into(), 0, many + 1).await.unwrap();
    assert_eq!(events.len(), many);
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn what_comes_after_lost_commits_has_numbers_that_nobody_has_seen() {
    for place in Place::each().await {
        let store = place.open().await.unwrap();
        conformance::fill(&store).await;
        let (last, records) = (store.last_event().await.unwrap(), records(&store).await);
        let record = records.last().unwrap();
        drop(store);
        // As a backup, or a standby that had not heard of the last ones, has it.
        place.run("DELETE FROM events; DELETE FROM usage_records; DELETE FROM meters").await;
        let store = place.open().await.unwrap();
        let looked = Write::Meter(seen(record), VolumeSizes { database_gib: 1, uploads_gib: 1 });
        assert!(store.commit(telling(0).write(looked)).await.unwrap().events[0].seq > last);
        assert!(self::records(&store).await[0].seq > record.seq);
    }
}

async fn records(store: &SqlStore) -> Vec<UsageRecord> {
    store.usage_records(&UsageFilter::default(), 0, 99).await.unwrap()
}

/// What ran then runs still, and has since.
fn seen(record: &UsageRecord) -> Look {
    let UsageRecord { site, part, from, to, .. } = record.clone();
    let run =
        Run { part, object: record.object.clone(), started_at: from, ended_at: Some(to), previous_end: None };
    Look { site, seen_at: to, complete: true, runs: vec![run], others: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_misses_no_event_of_many_writers() {
    const EACH: u32 = 100;
    for place in Place::each().await {
        let stores = [place.open().await.unwrap(), place.open().await.unwrap()].map(Arc::new);
        let reader = place.open().await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let store = stores[writer % 2].clone();
            writers.spawn(async move {
                for number in 0..EACH {
                    store.commit(telling(number)).await.unwrap();
                }
            });
        }
        let many = 8 * EACH as usize;
        let read = tokio::time::timeout(Duration::from_secs(120), follow(&reader, many)).await;
        writers.join_all().await;
        assert_eq!(read.expect("all is seen in time"), numbers(&reader, many).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_commits_is_told_once() {
    for place in Place::each().await {
        let (ours, other) = (place.open().await.unwrap(), place.open().await.unwrap());
        let mut feed = ours.feed();
        let (mut expected, mut of_others) = (Vec::new(), Vec::new());
        for number in 0..10 {
            let store = if number % 3 == 0 { &ours } else { &other };
            let seq = store.commit(telling(number)).await.unwrap().events[0].seq;
            if number % 3 != 0 {
                of_others.push(seq);
            }
            expected.push(seq);
        }
        let mut told = Vec::new();
        while told.len() < expected.len() {
            let next = tokio::time::timeout(Duration::from_secs(60), feed.recv()).await;
            let committed = next.expect("is told in time").unwrap();
            let by_another = committed.events.iter().any(|event| of_others.contains(&event.seq));
            let changed = if by_another { committed.events.len() } else { 0 };
            assert_eq!(committed.sites.len(), changed, "another's event says that a site changed");
            told.extend(committed.events.iter().map(|event| event.seq));
        }
        told.sort_unstable();
        assert_eq!(told, expected);
        assert!(feed.try_recv().is_err(), "nothing is told twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_is_enough_to_be_told() {
    let Some(url) = scratch::database().await else { return };
    let never = Duration::from_secs(3600);
    let ours = SqlStore::connect_looking(&url, never).await.unwrap();
    let other = SqlStore::connect(&url).await.unwrap();
    let mut feed = ours.feed();
    // What comes before it listens is told with the first that comes after.
    let listens = async {
        loop {
            tokio::select! {
                told = feed.recv() => return told.unwrap(),
                committed = other.commit(telling(0)) => drop(committed.unwrap()),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), listens).await.expect("is told in time");
    let last = other.commit(telling(1)).await.unwrap().events[0].clone();
    let told = async { while !feed.recv().await.unwrap().events.contains(&last) {} };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("is told in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_it_is_told_all_the_same() {
    let Some(url) = scratch::database().await else { return };
    let mut ours = SqlStore::connect(&url).await.unwrap();
    // What listens is the last that was started; what looks by itself stays.
    assert_eq!(ours.followers.len(), 2);
    ours.followers.pop();
    let other = SqlStore::connect(&url).await.unwrap();
    let mut feed = ours.feed();
    for number in 0..3 {
        let committed = other.commit(telling(number)).await.unwrap();
        let told = tokio::time::timeout(Duration::from_secs(60), feed.recv()).await;
        assert_eq!(told.expect("is told in time").unwrap().events, committed.events);
    }
}
