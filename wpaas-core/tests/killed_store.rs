//! A store in a file whose process is killed at any moment, and one whose disk is full: what was acknowledged is there
//! once, and what was not is there whole or not at all. `WPAAS_KILLS=20000` is the long run.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;
use wpaas_core::account::{Customer, CustomerPlan, Lifecycle, Org, Payment, Space};
use wpaas_core::defaults;
use wpaas_core::id::{OrgId, SpaceId};
use wpaas_core::name::Cid;
use wpaas_core::store::{
    Change, Commit as _, EventKind, EventReads as _, EventScope, NewEvent, OrgReads as _, Page,
    SpaceReads as _, SqlStore, StoreError, Subject, Who, Write,
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// Names the file to the process that is killed.
const PLACE: &str = "WPAAS_KILLED_STORE";
/// Changes under way at a time.
const WRITERS: u32 = 4;

fn cid() -> Cid {
    "acm".parse().unwrap()
}

fn customer() -> Change {
    Change::at(NOW).write(Write::InsertCustomer(Customer {
        cid: cid(),
        name: "Acme".into(),
        email: "owner@acme.example".parse().unwrap(),
        username: "acme".parse().unwrap(),
        plan: CustomerPlan::Paid,
        lifecycle: Lifecycle::Active,
        payment: Payment { identifier: None, status_id: None },
        payment_accounts: BTreeMap::new(),
        created_at: NOW,
        version: 1,
    }))
}

fn id(n: u32) -> Uuid {
    Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0000 + u128::from(n))
}

/// An org with a space, and the event that tells of it.
fn change(n: u32) -> Change {
    let org = Org {
        id: OrgId::from_uuid(id(n)),
        name: format!("org{n}").parse().unwrap(),
        description: "x".repeat(500),
        ..defaults::org(&cid(), NOW)
    };
    let space = Space { id: SpaceId::from_uuid(id(n)), ..defaults::space(&cid(), org.id, NOW) };
    let event = NewEvent {
        cid: Some(cid()),
        org: Some(org.id),
        space: None,
        who: Who::System,
        kind: EventKind::OrgCreated,
        subject: Subject::Org(org.id),
        detail: serde_json::Value::Null,
    };
    Change::at(NOW).write(Write::InsertOrg(org)).write(Write::InsertSpace(space)).event(event)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// The numbers of the changes that a store holds; panics where one is there in part or more than once.
async fn held(store: &SqlStore) -> BTreeSet<u32> {
    let number = |id: &Uuid| u32::try_from(id.as_u128() - self::id(0).as_u128()).unwrap();
    let orgs = store.orgs(&cid(), &Page::first(100_000)).await.unwrap();
    let orgs: Vec<u32> = orgs.iter().map(|org| number(org.id.uuid())).collect();
    let spaces = store.spaces(&cid(), None, &Page::first(100_000)).await.unwrap();
    let spaces: Vec<u32> = spaces.iter().map(|space| number(space.id.uuid())).collect();
    let events = store.events(&EventScope::All.into(), 0, 100_000).await.unwrap();
    let mut told: Vec<u32> =
        events.iter().filter_map(|event| event.event.org).map(|org| number(org.uuid())).collect();
    told.sort_unstable();
    assert_eq!(orgs, spaces, "each org has its space");
    assert_eq!(orgs, told, "and is told of once");
    orgs.into_iter().collect()
}

#[test]
#[ignore = "is the process that is killed"]
fn writes_until_it_is_killed() {
    let Ok(path) = std::env::var(PLACE) else { return };
    run(async {
        let store = Arc::new(SqlStore::open(Path::new(&path)).await.unwrap());
        store.commit(customer()).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let store = store.clone();
            writers.spawn(async move {
                for n in (writer..).step_by(WRITERS as usize) {
                    store.commit(change(n)).await.unwrap();
                    // Not held back by anything, and read by the other process.
                    eprintln!("done {n}");
                }
            });
        }
        writers.join_all().await;
    });
}

fn spawn(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "writes_until_it_is_killed", "--nocapture"])
        .env(PLACE, path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a process write, kills it after so many acknowledgements, and returns all that it has acknowledged. Other
/// changes are under way then, each at another point.
fn killed_after(path: &Path, acknowledged: usize) -> BTreeSet<u32> {
    let mut child = spawn(path);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut done: Vec<String> =
        lines.by_ref().filter(|line| line.starts_with("done")).take(acknowledged).collect();
    assert_eq!(done.len(), acknowledged, "the process ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said before its death.
    done.extend(lines);
    let number = |line: &String| line.strip_prefix("done ")?.parse().ok();
    done.iter().filter_map(number).collect()
}

fn cases() -> u32 {
    std::env::var("WPAAS_KILLS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_before_a_kill_is_there_once(acknowledged in 0..60_usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wpaas.db");
        let acknowledged = killed_after(&path, acknowledged);
        run(async {
            let store = SqlStore::open(&path).await.unwrap();
            let held = held(&store).await;
            assert!(acknowledged.is_subset(&held), "lost: {:?}", acknowledged.difference(&held));
            // At most one of each writer was under way.
            assert!(held.len() <= acknowledged.len() + WRITERS as usize);
            if !held.is_empty() {
                store.commit(change(1_000_000)).await.unwrap();
            }
        });
    }
}

/// A small file system of its own; nothing where this can't be made.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "wpaas-test"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _left_to_the_machine = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// As root alone: nobody else may make a file system.
#[test]
fn a_full_disk_is_said_so_and_loses_nothing() {
    let Some(disk) = Disk::of("2m") else { return };
    let (path, filler) = (disk.0.path().join("wpaas.db"), disk.0.path().join("filler"));
    run(async {
        let store = SqlStore::open(&path).await.unwrap();
        store.commit(customer()).await.unwrap();
        std::fs::write(&filler, vec![0; 256 << 10]).unwrap();
        let mut acknowledged = BTreeSet::new();
        let refused = loop {
            let n = u32::try_from(acknowledged.len()).unwrap();
            match store.commit(change(n)).await {
                Ok(_) => acknowledged.insert(n),
                Err(error) => break error,
            };
            assert!(n < 100_000, "the disk is never full");
        };
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        for n in 100_000..100_010 {
            assert!(store.commit(change(n)).await.is_err(), "it is still full");
        }
        assert_eq!(held(&store).await, acknowledged, "reads go on, and nothing is there in part");
        std::fs::remove_file(&filler).unwrap();
        store.commit(change(200_000)).await.unwrap();
        acknowledged.insert(200_000);
        drop(store);
        assert_eq!(held(&SqlStore::open(&path).await.unwrap()).await, acknowledged);
    });
}
