use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::store::{CustomerReads as _, EventReads as _, Expect, Store};

#[cfg(feature = "testing")]
#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    crate::store::conformance::all(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let store = SqliteStore::open(&folder.path().join(format!("{number}.db"))).await.unwrap();
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn the_file_is_its_owners_alone_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wpaas.db");
    drop(SqliteStore::open(&path).await.unwrap());
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 0);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wpaas.db");
    drop(SqliteStore::open(&path).await.unwrap());
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query("UPDATE schema_version SET version = 99").execute(&mut connection).await.unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the database has schema 99, this program knows 1: use the program that wrote it"
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("wpaas.db")).await.unwrap();
    let change = Change::at(Timestamp::UNIX_EPOCH).expect(Expect::CidUnused("acm".parse().unwrap()));
    let waits = store.commit(change.clone());
    drop(futures::future::select(Box::pin(waits), futures::future::ready(())).await);
    store.commit(change).await.unwrap();
    assert_eq!(store.customer(&"acm".parse().unwrap()).await.unwrap(), None);
}
