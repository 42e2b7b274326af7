use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::db::{Options, Pool};
use super::readers::Readers;
use super::{SqlStore, unavailable};
use crate::store::StoreError;

/// Reads that go on beside the writer and each other: most of each is waiting for its thread.
const READERS: usize = 8;

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
            .busy_timeout(Duration::from_secs(10));
        let readers = Readers::new(options.clone().pragma("query_only", "ON"), READERS);
        let options = Options::Sqlite(options.journal_mode(SqliteJournalMode::Wal));
        let connection = options.connect().await.map_err(unavailable)?;
        Self::start(Pool::Sqlite(readers), options, connection, super::follow::POLL).await
    }
}

/// `SQLite` gives its `-wal` and `-shm` files the mode of the file itself.
fn create(path: &Path) -> std::io::Result<()> {
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
