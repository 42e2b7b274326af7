use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::task::JoinSet;

use super::*;
use crate::converge::Run;
use crate::metering::{Look, UsageFilter, UsageRecord};
use crate::quota::VolumeSizes;
use crate::store::{
    CustomerReads as _, EventKind, EventReads as _, EventScope, Expect, NewEvent, OrgReads as _, Page, Store,
    Subject, UsageReads as _, Who, Write, conformance, scratch,
};

/// A database that several stores can be opened on.
enum Place {
    File(tempfile::TempDir),
    Postgres(Box<PostgresUrl>),
}

impl Place {
    fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    /// One of each kind that there is.
    async fn each() -> Vec<Self> {
        let postgres = scratch::database().await.map(|url| Self::Postgres(Box::new(url)));
        std::iter::once(Self::file()).chain(postgres).collect()
    }

    async fn open(&self) -> Result<SqlStore, StoreError> {
        match self {
            Self::File(folder) => SqlStore::open(&folder.path().join("wpaas.db")).await,
            Self::Postgres(url) => SqlStore::connect(url).await,
        }
    }

    /// A connection beside every store.
    async fn beside(&self) -> Db {
        let options = match self {
            Self::File(folder) => {
                Options::Sqlite(SqliteConnectOptions::new().filename(folder.path().join("wpaas.db")))
            }
            Self::Postgres(url) => url.options(),
        };
        options.connect().await.unwrap()
    }

    async fn run(&self, sql: &'static str) {
        self.beside().await.batch(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    conformance::all(async || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let store = SqlStore::open(&folder.path().join(format!("{number}.db"))).await.unwrap();
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_conforms() {
    if scratch::database().await.is_none() {
        return;
    }
    conformance::all(async || {
        let url = scratch::database().await.unwrap();
        Arc::new(SqlStore::connect(&url).await.unwrap()) as Arc<dyn Store>
    })
    .await;
}

/// More than read at a time, each at another point of its read.
#[tokio::test]
async fn whoever_goes_away_from_a_read_takes_no_place_along() {
    let place = Place::file();
    let store = place.open().await.unwrap();
    for polls in 0..40 {
        let mut read = std::pin::pin!(store.last_event());
        for _ in 0..polls % 4 {
            if futures::poll!(read.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(store.last_event().await.unwrap(), 0);
}

#[tokio::test]
async fn the_file_is_its_owners_alone_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wpaas.db");
    drop(SqlStore::open(&path).await.unwrap());
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 0);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let newer = "UPDATE schema_version SET version = 99";
    for place in Place::each().await {
        drop(place.open().await.unwrap());
        place.run(newer).await;
        let refused = place.open().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the database has schema 99, this program knows 2: use the program that wrote it"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_start_at_once_make_one_schema() {
    for place in Place::each().await {
        let place = Arc::new(place);
        let mut starts = JoinSet::new();
        for _ in 0..12 {
            let place = place.clone();
            starts.spawn(async move { place.open().await.unwrap() });
        }
        for store in starts.join_all().await {
            assert_eq!(store.last_event().await.unwrap(), 0);
        }
    }
}

/// As a release to come may have: the last one fails where it is run twice.
const NEXT: [&str; 3] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    "ALTER TABLE orgs ADD COLUMN motto TEXT; CREATE TABLE mottos (org_id TEXT NOT NULL); \
     INSERT INTO mottos SELECT id FROM orgs",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_runs_once_over_what_is_there_and_servers_of_before_go_on() {
    for place in Place::each().await {
        let before = filled(&place).await;
        let mut starts = JoinSet::new();
        for _ in 0..12 {
            let mut db = place.beside().await;
            starts.spawn(async move { schema::migrate_by(&NEXT, &mut db).await });
        }
        starts.join_all().await.into_iter().collect::<Result<(), _>>().unwrap();
        let mut db = place.beside().await;
        let mut count = async |sql: &'static str| query(sql).count(&mut db).await.unwrap();
        let orgs = count("SELECT COUNT(*) FROM orgs").await;
        assert!(orgs > 0);
        assert_eq!(count("SELECT COUNT(*) FROM mottos").await, orgs, "what was there was carried over");
        assert_eq!(count("SELECT version FROM schema_version").await, 3);

        let page = Page::first(9);
        let mut org = before.orgs(&"acm".parse().unwrap(), &page).await.unwrap().swap_remove(0);
        org.version += 1;
        before.commit(telling(1).write(Write::UpdateOrg(org.clone()))).await.unwrap();
        assert!(before.orgs(&org.cid, &page).await.unwrap().contains(&org));
        drop(before);
        assert!(matches!(place.open().await, Err(StoreError::TooNew { found: 3, known: 2 })));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_does_no_harm() {
    for place in Place::each().await {
        let store = place.open().await.unwrap();
        let change = Change::at(Timestamp::UNIX_EPOCH).expect(Expect::CidUnused("acm".parse().unwrap()));
        let waits = store.commit(change.clone());
        drop(futures::future::select(Box::pin(waits), futures::future::ready(())).await);
        store.commit(change).await.unwrap();
        assert_eq!(store.customer(&"acm".parse().unwrap()).await.unwrap(), None);
    }
}

fn telling(number: u32) -> Change {
    Change::at(Timestamp::UNIX_EPOCH).event(NewEvent {
        cid: None,
        org: None,
        space: None,
        who: Who::System,
        kind: EventKind::SiteUpdated,
        subject: Subject::Site(SiteId::new()),
        detail: json!({ "number": number }),
    })
}

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

/// By then a request is not given up yet.
const SOON: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_unavailable_soon_and_is_used_again_once_it_answers() {
    let Some((line, url)) = scratch::url().await.and_then(|url| scratch::Line::to(&url)) else { return };
    let store = SqlStore::connect(&url.parse().unwrap()).await.unwrap();
    let write = async || tokio::time::timeout(SOON, store.commit(telling(0))).await.expect("is answered");
    let read = async || tokio::time::timeout(SOON, store.last_event()).await.expect("is answered");
    write().await.unwrap();
    read().await.unwrap();
    line.cut(true);
    // In what is connected, and in what connects.
    for _ in 0..2 {
        let (written, read) = futures::join!(write(), read());
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    }
    line.cut(false);
    let again = async { while store.commit(telling(1)).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("comes back by itself");
    read().await.unwrap();
}

#[test]
fn an_address_with_a_password_is_refused_and_shown_without_one() {
    let refused = |text: &str| text.parse::<PostgresUrl>().unwrap_err();
    for text in ["postgres://wpaas:canary@db/wpaas", "postgres://wpaas@db/wpaas?password=canary"] {
        assert_eq!(refused(text), InvalidUrl::Password);
    }
    for text in ["mysql://wpaas@db/wpaas", "db/wpaas", "postgres://wpaas@db"] {
        assert!(matches!(refused(text), InvalidUrl::Malformed(_)), "{text}");
    }
    let url: PostgresUrl = "postgres://wpaas@db:5433/sites".parse().unwrap();
    let url = url.with_password(&crate::secret::Secret::new("canary".to_owned()));
    assert_eq!(url.to_string(), "postgres://wpaas@db:5433/sites");
    assert_eq!(format!("{url:?}"), "PostgresUrl(postgres://wpaas@db:5433/sites)");
}

/// A store that holds something of everything: what the conformance suite leaves in it.
async fn filled(place: &Place) -> SqlStore {
    let store = place.open().await.unwrap();
    conformance::fill(&store).await;
    store
}

async fn exported(store: &SqlStore) -> String {
    let mut text = Vec::new();
    store.export(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_goes_from_one_database_to_another_and_back() {
    let file = Place::file();
    let first = filled(&file).await;
    let text = exported(&first).await;
    for table in schema::tables().iter().filter(|table| !["members", "claims"].contains(&table.name)) {
        assert!(text.contains(&format!("[\"{}\",", table.name)), "a row of {}", table.name);
    }
    for place in Place::each().await {
        let second = place.open().await.unwrap();
        let rows = second.import(text.as_bytes()).await.unwrap();
        assert_eq!(usize::try_from(rows).unwrap(), text.lines().count() - 2);
        assert_eq!(exported(&second).await, text);
        assert!(matches!(second.import(text.as_bytes()).await, Err(TransferError::NotEmpty)));
        second.commit(telling(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_export_leaves_nothing_behind() {
    let file = Place::file();
    let text = exported(&filled(&file).await).await;
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    let missing = [&lines[..3], &lines[4..]].concat().join("\n");
    let newer = text.replacen("{\"wpaas_export\":2}", "{\"wpaas_export\":99}", 1);
    assert_ne!(newer, text);
    for place in Place::each().await {
        let store = place.open().await.unwrap();
        for damaged in [&cut, &missing, &newer, &text[..text.len() / 2].to_owned()] {
            assert!(store.import(damaged.as_bytes()).await.is_err());
            assert_eq!(exported(&store).await.lines().count(), 2, "nothing is kept");
        }
        store.import(text.as_bytes()).await.unwrap();
    }
}

#[test]
fn the_schemas_tables_are_read_whole() {
    let tables = schema::tables();
    let customers = tables.iter().find(|table| table.name == "customers").unwrap();
    let names: Vec<&str> = customers.columns.iter().map(|column| column.name).collect();
    assert_eq!(names, ["cid", "login", "email", "lifecycle", "purge_after", "version", "doc"]);
    let sql = concat!(include_str!("schema-1.sql"), include_str!("schema-2.sql"));
    let is_column =
        |line: &&str| line.starts_with("    ") && line.trim().starts_with(|c: char| c.is_ascii_lowercase());
    let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
    assert_eq!(columns, sql.lines().filter(is_column).count(), "a column of a type that is not known here");
    assert_eq!(tables.len(), sql.matches("CREATE TABLE").count());
}

/// Every file of the store that holds SQL.
fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if !path.ends_with("tests.rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// What was done and what was used is only ever added to: no statement changes it, takes it away or puts it anew.
#[test]
fn no_statement_changes_or_removes_an_event_or_a_usage_record() {
    let mut added = 0;
    for text in texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql")) {
        for statement in text.split(['"', ';']).map(str::to_lowercase) {
            let words: Vec<_> = statement.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            for table in ["events", "usage_records"] {
                let names =
                    |verb: &[&str]| words.windows(verb.len() + 1).any(|at| at == [verb, &[table]].concat());
                for verb in [&["update"][..], &["delete", "from"], &["truncate"], &["drop", "table"]] {
                    assert!(!names(verb), "{statement}");
                }
                let adds = names(&["into"]);
                assert!(
                    !adds || !words.iter().any(|word| ["update", "replace"].contains(word)),
                    "{statement}"
                );
                added += usize::from(adds);
            }
        }
    }
    assert!(added >= 2, "the statements are looked at");
}
