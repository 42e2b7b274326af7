//! Callers that go away, and a database that hangs.

use std::time::Duration;

use jiff::Timestamp;

use super::{Place, telling};
use crate::store::sql::SqlStore;
use crate::store::{Change, Commit as _, CustomerReads as _, EventReads as _, Expect, StoreError, scratch};

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
