use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use wpaas_backend_aws::cloud::{CloudError, Record, RecordChange, TextRecord};

use crate::check::{Case, Otherwise, Told, all, cases, ensure, refused, same};
use crate::world::{World, account, moto};

pub const CASES: &[Case] = cases![
    records_are_made_moved_and_removed,
    a_listing_of_more_than_a_page_has_every_record_once,
    a_batch_is_made_whole_or_not_at_all,
    only_the_very_record_is_removed,
    a_batch_has_a_limit,
    texts_are_made_changed_and_removed_and_come_to_all_servers,
];

/// Of the simulator alone: what a real account answers depends on how fast it works.
#[tokio::test(start_paused = true)]
async fn a_change_while_an_earlier_one_is_worked_on_is_refused() {
    for world in [World::simulated(), World::wired().await] {
        let name = world.name();
        let made = [1, 2].map(|last| [RecordChange::Upsert(record(&world, &name, last))]);
        let (one, other) = tokio::join!(world.zone.change(&made[0]), world.zone.change(&made[1]));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(one.and(other).unwrap_err().code, "PriorRequestNotComplete");
        assert!(world.zone.change(&made[1]).await.is_ok(), "it is through when it answers");
    }
}

/// Five a second, whoever asks.
#[tokio::test(start_paused = true)]
async fn what_is_asked_too_fast_is_throttled() {
    for world in [World::simulated(), World::wired().await] {
        let asked = futures::future::join_all((0..6).map(|_| world.zone.records(None))).await;
        let codes: Vec<_> = asked.into_iter().filter_map(Result::err).map(|error| error.code).collect();
        assert_eq!(codes, ["Throttling"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_simulator_is_a_zone() {
    all(&World::simulated(), CASES).await;
    all(&World::wired().await, CASES).await;
}

#[tokio::test]
async fn moto_is_a_zone() {
    let Some(world) = moto("eu-west-3").await else { return };
    all(&world, CASES).await;
}

#[tokio::test]
async fn an_account_has_a_zone() {
    let Some(world) = account().await else { return };
    all(&world, CASES).await;
}

fn record(world: &World, host: &str, last: u8) -> Record {
    Record { name: format!("{host}.{}", world.domain), ip: Ipv4Addr::new(203, 0, 113, last), ttl: 60 }
}

/// The A records whose names begin so, and how many pages all of them were on.
async fn listed(world: &World, begins: &str) -> Result<(BTreeMap<String, Record>, usize), CloudError> {
    let (mut found, mut pages, mut next) = (BTreeMap::new(), 0, None);
    loop {
        let page = world.zone.records(next.as_deref()).await?;
        pages += 1;
        let ours = page.items.into_iter().filter(|record| record.name.starts_with(begins));
        found.extend(ours.map(|record| (record.name.clone(), record)));
        if page.next.is_none() {
            return Ok((found, pages));
        }
        next = page.next;
    }
}

async fn records_are_made_moved_and_removed(world: &World) -> Told {
    let name = world.name();
    let (first, moved, star) =
        (record(world, &name, 1), record(world, &name, 2), record(world, &format!("*.{name}"), 3));
    world.zone.change(&[RecordChange::Upsert(first.clone()), RecordChange::Upsert(star.clone())]).await?;
    same("a record", listed(world, &name).await?.0.into_values().collect(), vec![first])?;
    same("a star", listed(world, &star.name).await?.0.into_values().collect(), vec![star.clone()])?;
    world.zone.change(&[RecordChange::Upsert(moved.clone())]).await?;
    same("a moved record", listed(world, &name).await?.0.into_values().collect(), vec![moved.clone()])?;
    world.zone.change(&[RecordChange::Delete(moved), RecordChange::Delete(star.clone())]).await?;
    same("what is left", listed(world, &name).await?.0.len() + listed(world, &star.name).await?.0.len(), 0)
}

async fn a_listing_of_more_than_a_page_has_every_record_once(world: &World) -> Told {
    let name = world.name();
    let records: Vec<_> = (0..=255).chain(0..=99).enumerate().collect();
    let record = |(n, last): &(usize, u8)| record(world, &format!("{name}-{n:03}"), *last);
    let made: Vec<_> = records.iter().map(record).collect();
    let upsert: Vec<_> = made.iter().cloned().map(RecordChange::Upsert).collect();
    world.zone.change(&upsert).await?;
    let (found, pages) = listed(world, &name).await?;
    ensure!(pages > 1, "{} records on {pages} page", made.len());
    same("all records", found.into_values().collect::<Vec<_>>(), made.clone())?;
    let delete: Vec<_> = made.into_iter().map(RecordChange::Delete).collect();
    world.zone.change(&delete).await?;
    same("what is left", listed(world, &name).await?.0.len(), 0)
}

async fn a_batch_is_made_whole_or_not_at_all(world: &World) -> Told {
    let name = world.name();
    let (good, never) = (record(world, &name, 1), record(world, &format!("{name}-never"), 1));
    let batch = [RecordChange::Upsert(good), RecordChange::Delete(never)];
    ensure!(world.zone.change(&batch).await.is_err(), "a record that was never there was removed");
    same("what was made of it", listed(world, &name).await?.0.len(), 0)
}

async fn only_the_very_record_is_removed(world: &World) -> Told {
    let name = world.name();
    let (there, other) = (record(world, &name, 1), record(world, &name, 2));
    world.zone.change(&[RecordChange::Upsert(there.clone())]).await?;
    let removed = world.zone.change(&[RecordChange::Delete(other)]).await;
    if removed.is_ok() {
        let left = listed(world, &name).await?.0.len();
        return Err(Otherwise(format!("another address was taken for it, {left} left")));
    }
    refused("removing a record with another address", removed, "InvalidChangeBatch")?;
    world.zone.change(&[RecordChange::Delete(there)]).await?;
    Ok(())
}

/// 1000 changes, of which an upsert counts as two.
async fn a_batch_has_a_limit(world: &World) -> Told {
    let name = world.name();
    let upsert = |n: u16| RecordChange::Upsert(record(world, &format!("{name}-{n}"), 1));
    let many: Vec<_> = (0..501).map(upsert).collect();
    refused("501 upserts", world.zone.change(&many).await, "InvalidChangeBatch")?;
    same("what was made of them", listed(world, &name).await?.0.len(), 0)
}

async fn texts_are_made_changed_and_removed_and_come_to_all_servers(world: &World) -> Told {
    let name = format!("_acme-challenge.{}.{}", world.name(), world.domain);
    let record = |texts: &[&str]| TextRecord {
        name: name.clone(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>(),
        ttl: 60,
    };
    world.zone.change(&[RecordChange::UpsertTexts(record(&["one-text"]))]).await?;
    let both = record(&["one-text", "an_other-text"]);
    let change = world.zone.change(&[RecordChange::UpsertTexts(both.clone())]).await?;
    let mut tries = 0;
    while !world.zone.in_sync(&change).await? {
        tries += 1;
        ensure!(tries < 60, "the change is not with all servers yet");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    world.zone.change(&[RecordChange::DeleteTexts(both.clone())]).await?;
    ensure!(world.zone.change(&[RecordChange::DeleteTexts(both)]).await.is_err(), "removed twice");
    Ok(())
}
