use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::store::{EventKind, NewEvent, Store, Subject, Who, conformance, scratch};

mod events;
mod schema;
mod transfer;
mod trouble;

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
