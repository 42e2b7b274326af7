use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::broadcast::{self, error::RecvError};

use super::connect::{Options, open};
use super::db::Pool;
use super::readers::Readers;
use super::{SqlStore, unavailable};
use crate::store::{Committed, Event, EventKind, StoreError};

/// Reads that go on beside the writer and each other: most of each is waiting for its thread.
const READERS: usize = 8;

/// What the writer need not read again, in KiB if negative: the pages that all changes go to.
const WRITER_CACHE: &str = "-32768";

/// Pages of 4 KiB in the log before it is copied into the file, while writers wait: a page that was written often is
/// copied once.
const LOG_PAGES: &str = "8000";

impl SqlStore {
    /// Opens a `SQLite` file, or makes one that only its owner can read, and brings its schema up to date. No server
    /// to install, and every commit on disk before it is answered. Several programs can share the file.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] for a file of a newer program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create(path).map_err(unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten: a purge leaves none of it in free pages.
            .pragma("secure_delete", "ON")
            .busy_timeout(Duration::from_secs(10));
        let readers = Readers::new(options.clone().pragma("query_only", "ON"), READERS);
        let file = options
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", LOG_PAGES);
        let options = Options::Sqlite(file.clone());
        let connection = options.connect().await.map_err(unavailable)?;
        let poll = super::follow::POLL;
        let mut store = Self::start(Pool::Sqlite(readers), options, connection, poll).await?;
        store.spawn(forget(file, store.feed.subscribe()));
        Ok(store)
    }
}

/// Empties the log after each purge: what was written there would stay until it is full.
async fn forget(file: SqliteConnectOptions, mut feed: broadcast::Receiver<Committed>) {
    let is_purge = |event: &Event| event.event.kind == EventKind::CustomerPurged;
    loop {
        let purged = match feed.recv().await {
            Ok(committed) => committed.events.iter().any(is_purge),
            Err(RecvError::Lagged(_)) => true,
            Err(RecvError::Closed) => return,
        };
        if purged && let Err(error) = empty_log(&file).await {
            tracing::warn!(%error, "the database's log keeps what a purge removed until it is full");
        }
    }
}

async fn empty_log(file: &SqliteConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = open(file).await?;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await
}

/// `SQLite` gives its `-wal` and `-shm` files the mode of the file itself.
fn create(path: &Path) -> std::io::Result<()> {
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
