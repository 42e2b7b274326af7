//! Where queries are run: on either database.

use std::time::Duration;

#[cfg(feature = "postgres")]
use sqlx::Connection as _;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnection, PgPool};

#[cfg(feature = "sqlite")]
use super::file::File;
#[cfg(feature = "sqlite")]
use super::query::query;
use super::query::{Query, bound};
#[cfg(feature = "sqlite")]
use super::readers::Readers;
use super::rows::{Columns, Most, Rows};
use super::unavailable;
use crate::store::StoreError;

/// Connections that read beside each other.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    #[cfg(feature = "sqlite")]
    Sqlite(Readers),
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

/// One connection.
#[derive(Debug)]
pub(super) enum Db {
    #[cfg(feature = "sqlite")]
    Sqlite(File),
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
}

impl Db {
    /// Runs statements that take no values and give no rows.
    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.run(Some(query(sql))).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => sqlx::raw_sql(sql).execute(db).await.map(drop),
        }
    }

    /// The same of the writer's: what a server does not answer in time is given up, and the connection is to be, too.
    pub(super) async fn batch_in_time(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            // A file's locks and disk are waited for.
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => self.batch(sql).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => within(SERVER, self.batch(sql)).await,
        }
    }

    /// Runs this, which gives no rows, at once or before whatever is asked next.
    pub(super) async fn by_the_next(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                file.by_the_next(query(sql));
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => self.batch_in_time(sql).await,
        }
    }

    /// Runs what waits for the next.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => within(FILE, file.settle()).await.map_err(unavailable),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Ends the connection in order.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => db.close().await,
        }
    }
}

/// Where a query can run: a pool, or a connection that may be in a transaction.
pub(super) trait Executor {
    /// How long it is waited for one statement.
    fn patience(&self) -> Duration;

    /// The rows that it gives.
    fn fetch(self, query: Query, most: Most) -> impl Future<Output = Result<Rows, sqlx::Error>> + Send;
}

/// A database that says nothing is not waited for for ever.
async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(patience, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// For one statement on a file: its disk may be slow.
#[cfg(feature = "sqlite")]
const FILE: Duration = Duration::from_secs(20);
/// For one statement on a server: it is quick, or waits for a server that hangs with the lock, which loses it after 5 s.
#[cfg(feature = "postgres")]
const SERVER: Duration = Duration::from_secs(7);

impl Executor for &Pool {
    fn patience(&self) -> Duration {
        match self {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(_) => FILE,
            #[cfg(feature = "postgres")]
            Pool::Postgres(_) => SERVER,
        }
    }

    #[cfg_attr(
        not(feature = "sqlite"),
        expect(unused_variables, reason = "PostgreSQL sends all that there is")
    )]
    async fn fetch(self, query: Query, most: Most) -> Result<Rows, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Pool::Sqlite(readers) => {
                let mut reader = readers.take().await?;
                let rows = most.of(query, &mut reader.connection).await?;
                reader.give_back();
                Ok(rows)
            }
            #[cfg(feature = "postgres")]
            Pool::Postgres(pool) => bound!(query).fetch_all(pool).await.map(Rows::Postgres),
        }
    }
}

impl Executor for &mut Db {
    fn patience(&self) -> Duration {
        (**self).patience()
    }

    #[cfg_attr(
        not(feature = "sqlite"),
        expect(unused_variables, reason = "PostgreSQL sends all that there is")
    )]
    async fn fetch(self, query: Query, most: Most) -> Result<Rows, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(file) => {
                let (query, connection) = file.with_what_waits(query);
                most.of(query, connection).await
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(db) => bound!(query).fetch_all(db).await.map(Rows::Postgres),
        }
    }
}

impl Db {
    const fn patience(&self) -> Duration {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => FILE,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => SERVER,
        }
    }

    async fn execute(&mut self, query: Query) -> Result<u64, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => {
                file.settle().await?;
                let (query, connection) = file.with_what_waits(query);
                bound!(query).execute(connection).await.map(|done| done.rows_affected())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => bound!(query).execute(db).await.map(|done| done.rows_affected()),
        }
    }
}

impl Query {
    /// Changes rows, and tells how many.
    pub(super) async fn run(self, on: &mut Db) -> Result<u64, StoreError> {
        within(on.patience(), on.execute(self)).await.map_err(unavailable)
    }

    /// Changes rows, at once or before whatever is asked next on the connection: a failure is that one's, then.
    pub(super) async fn run_by_the_next(self, on: &mut Db) -> Result<(), StoreError> {
        match on {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(file) => {
                file.by_the_next(self);
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => self.run(on).await.map(drop),
        }
    }

    /// All rows.
    pub(super) async fn all<T: Columns>(self, on: impl Executor) -> Result<Vec<T>, StoreError> {
        self.rows(on, Most::All).await
    }

    async fn rows<T: Columns>(self, on: impl Executor, most: Most) -> Result<Vec<T>, StoreError> {
        within(on.patience(), on.fetch(self, most)).await.map_err(unavailable)?.read()
    }

    /// The first row, if there is one.
    pub(super) async fn first<T: Columns>(self, on: impl Executor) -> Result<Option<T>, StoreError> {
        Ok(self.rows(on, Most::One).await?.into_iter().next())
    }

    /// All columns of the first row, each of which is a text or null.
    pub(super) async fn columns(self, on: impl Executor) -> Result<Vec<Option<String>>, StoreError> {
        within(on.patience(), on.fetch(self, Most::One)).await.map_err(unavailable)?.columns()
    }

    /// The first column of all rows.
    pub(super) async fn texts(self, on: impl Executor) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = self.all(on).await?;
        Ok(rows.into_iter().map(|(text,)| text).collect())
    }

    /// The first column of the first row.
    pub(super) async fn text(self, on: impl Executor) -> Result<Option<String>, StoreError> {
        Ok(self.first::<(String,)>(on).await?.map(|(text,)| text))
    }

    /// The number that the only column of the first row is; `None` without a row.
    pub(super) async fn number(self, on: impl Executor) -> Result<Option<i64>, StoreError> {
        Ok(self.first::<(i64,)>(on).await?.map(|(number,)| number))
    }

    /// What an aggregate counted.
    pub(super) async fn count(self, on: impl Executor) -> Result<u64, StoreError> {
        Ok(self.number(on).await?.map_or(0, |count| u64::try_from(count).unwrap_or(0)))
    }
}
