//! The store in a database: the same text of SQL for a `SQLite` file and for `PostgreSQL`.
//!
//! One transaction writes at a time in the whole installation, however many servers there are. So a change is decided
//! on what is so, nothing can deadlock, and events are numbered in the order in which they are committed: whoever
//! reads on after a number misses none, also where the database was put back to an older state. What is queued meanwhile
//! shares the next transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast, oneshot};
use tokio_util::task::AbortOnDropHandle;

use self::connect::Options;
use self::db::{Db, Pool};
use self::query::query;
use super::{Change, Commit, Committed, StoreError};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::quota::Usage;

mod acme;
mod ahead;
mod apply;
mod check;
mod claims;
mod connect;
mod db;
mod domains;
#[cfg(feature = "sqlite")]
mod file;
mod follow;
mod metering;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
mod queue;
mod read;
#[cfg(feature = "sqlite")]
mod readers;
mod rows;
mod schema;
mod spares;
#[cfg(feature = "sqlite")]
mod sqlite;
mod transfer;
mod webhooks;
mod writer;

pub use transfer::TransferError;

#[cfg(feature = "postgres")]
pub use postgres::{InvalidUrl, PostgresUrl};

/// How many changes may wait for the writer before callers do.
const QUEUE: usize = 1024;
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store in a database.
pub struct SqlStore {
    options: Options,
    readers: Pool,
    queue: queue::Queue,
    feed: broadcast::Sender<Committed>,
    desk: claims::Desk,
    /// Says that others may have committed.
    hint: Arc<Notify>,
    /// What follows them, for as long as the store is used.
    followers: Vec<AbortOnDropHandle<()>>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options may hold a password.
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Brings the schema up to date, and begins to write. Looks this often for what others commit.
    async fn start(
        readers: Pool,
        options: Options,
        mut connection: Db,
        poll: Duration,
    ) -> Result<Self, StoreError> {
        schema::migrate(&mut connection).await?;
        let (queue, jobs) = queue::queue(QUEUE);
        let feed = broadcast::Sender::new(1024);
        let (own, hint) = (Arc::<follow::Own>::default(), Arc::<Notify>::default());
        let desk = claims::Desk::new(options.clone().hasty());
        let seen = follow::last_event(&readers).await?;
        tokio::spawn(writer::run(
            options.clone(),
            connection,
            jobs,
            writer::Told { own: own.clone(), feed: feed.clone() },
        ));
        let mut store = Self { options, readers, queue, feed, desk, hint, followers: Vec::new() };
        store.spawn(follow::run(
            store.readers.clone(),
            seen,
            poll,
            own,
            store.hint.clone(),
            store.feed.clone(),
        ));
        Ok(store)
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.followers.push(AbortOnDropHandle::new(tokio::spawn(work)));
    }
}

#[async_trait]
impl Commit for SqlStore {
    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(queue::Job { change, reply }).await.map_err(|_closed| unavailable(NoAnswer))?;
        answer.await.map_err(|_| unavailable(NoAnswer))?
    }

    fn feed(&self) -> broadcast::Receiver<Committed> {
        self.feed.subscribe()
    }
}

/// The task that writes has ended, or gave a transaction up.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time, or this program is stopping: whether it was done is not known")]
struct NoAnswer;

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

/// Whose use of the quotas is asked for.
enum Users {
    Site(SiteId),
    Org(OrgId),
    Space(SpaceId),
}

async fn usage(on: impl db::Executor, of: Users) -> Result<Usage, StoreError> {
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
    let sums: Option<(i64, i64, i64, i64)> = query(sql).bind(key).first(on).await?;
    let (sites, wordpress, database, storage) = sums.unwrap_or_default();
    let number = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
    Ok(Usage {
        sites: number(sites),
        wordpress_instances: number(wordpress),
        database_instances: number(database),
        storage_gib: number(storage),
    })
}

#[cfg(all(test, feature = "sqlite", feature = "postgres", feature = "testing"))]
mod tests;
