//! A store in one `SQLite` file: no server to install, one writer, every commit on disk before it is answered.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{Change, Commit, Committed, StoreError};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::quota::Usage;

mod apply;
mod check;
mod read;
mod schema;
mod writer;

/// How many changes may wait for the writer before callers do.
const QUEUE: usize = 1024;
/// Reads that go on beside the writer and each other.
const READERS: u32 = 4;

/// A store in one file.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: mpsc::Sender<writer::Job>,
    feed: broadcast::Sender<Committed>,
}

impl SqliteStore {
    /// Opens the file, or makes one that only its owner can read, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] for a file of a newer program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        create(path).map_err(unavailable)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let mut connection = options.connect().await.map_err(unavailable)?;
        schema::migrate(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().pragma("query_only", "ON"))
            .await
            .map_err(unavailable)?;
        let (writer, jobs) = mpsc::channel(QUEUE);
        let feed = broadcast::Sender::new(1024);
        tokio::spawn(writer::run(options, connection, jobs, feed.clone()));
        Ok(Self { readers, writer, feed })
    }
}

#[async_trait]
impl Commit for SqliteStore {
    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(writer::Job { change, reply }).await.map_err(|_| unavailable(WriterGone))?;
        answer.await.map_err(|_| unavailable(WriterGone))?
    }

    fn feed(&self) -> broadcast::Receiver<Committed> {
        self.feed.subscribe()
    }
}

/// The task that writes has ended.
#[derive(Debug, thiserror::Error)]
#[error("the database's writer has stopped; start the program again")]
struct WriterGone;

/// `SQLite` gives its `-wal` and `-shm` files the mode of the file itself.
fn create(path: &Path) -> std::io::Result<()> {
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match new {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(source))
}

/// For a column: versions never come near the end.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// For a column that times are compared by.
fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The one text that a query by one key gives.
async fn one<'e>(
    db: impl sqlx::SqliteExecutor<'e>,
    sql: &'static str,
    key: String,
) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar(sql).bind(key).fetch_optional(db).await.map_err(unavailable)
}

/// Whose use of the quotas is asked for.
enum Users {
    Site(SiteId),
    Org(OrgId),
    Space(SpaceId),
}

async fn usage<'e>(db: impl sqlx::SqliteExecutor<'e>, of: Users) -> Result<Usage, StoreError> {
    macro_rules! sum {
        ($column:literal) => {
            concat!(
                "SELECT CAST(COALESCE(SUM(use_sites), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(use_wordpress), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(use_database), 0) AS BIGINT), \
                 CAST(COALESCE(SUM(use_storage), 0) AS BIGINT) FROM sites WHERE ",
                $column,
                " = $1"
            )
        };
    }
    let (sql, key) = match of {
        Users::Site(id) => (sum!("id"), id.to_string()),
        Users::Org(id) => (sum!("org_id"), id.to_string()),
        Users::Space(id) => (sum!("space_id"), id.to_string()),
    };
    let (sites, wordpress, database, storage): (i64, i64, i64, i64) =
        sqlx::query_as(sql).bind(key).fetch_one(db).await.map_err(unavailable)?;
    let number = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
    Ok(Usage {
        sites: number(sites),
        wordpress_instances: number(wordpress),
        database_instances: number(database),
        storage_gib: number(storage),
    })
}

#[cfg(test)]
mod tests;
