//! One text of SQL for `SQLite` and `PostgreSQL`: a query and its values, run on either.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

#[cfg(feature = "postgres")]
use sqlx::Connection as _;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions as _, FromRow, Row as _};

#[cfg(feature = "sqlite")]
use super::file::File;
#[cfg(feature = "sqlite")]
use super::readers::Readers;
use super::unavailable;
use crate::store::StoreError;

/// The driver's query with its values.
macro_rules! bound {
    ($query:expr) => {{
        let $crate::store::sql::db::Query { sql, values } = $query;
        let mut bound = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            bound = match value {
                $crate::store::sql::db::Value::Text(text) => bound.bind(text),
                $crate::store::sql::db::Value::Int(number) => bound.bind(number),
                $crate::store::sql::db::Value::Bytes(bytes) => bound.bind(bytes),
                $crate::store::sql::db::Value::Bool(is) => bound.bind(is),
            };
        }
        bound
    }};
}
#[cfg(feature = "sqlite")]
pub(super) use bound;

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

/// How a connection is made. Never shown: it may hold a password.
#[derive(Clone)]
pub(super) enum Options {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnectOptions),
    #[cfg(feature = "postgres")]
    Postgres(PgConnectOptions),
}

impl Options {
    /// Connects; gives up after a bounded time.
    pub(super) async fn connect(&self) -> Result<Db, sqlx::Error> {
        let connect = async {
            Ok(match self {
                #[cfg(feature = "sqlite")]
                Self::Sqlite(options) => Db::Sqlite(File::new(open(options).await?)),
                #[cfg(feature = "postgres")]
                Self::Postgres(options) => Db::Postgres(options.connect().await?),
            })
        };
        tokio::time::timeout(super::PATIENCE, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }
}

/// Opens a file. `SQLite` refuses, without waiting its busy timeout, while another connection turns the file's
/// journal into a write-ahead log: <https://sqlite.org/wal.html> ("Sometimes queries return `SQLITE_BUSY`").
#[cfg(feature = "sqlite")]
pub(super) async fn open(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) => tokio::time::sleep(Duration::from_millis(10)).await,
            done => return done,
        }
    }
}

/// The low byte of a code of `SQLite` is its kind: <https://sqlite.org/rescode.html>.
#[cfg(feature = "sqlite")]
fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == BUSY)
}

impl Options {
    /// For what need not outlive a power cut: a file's commits are not waited for.
    pub(super) fn hasty(self) -> Self {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(options) => Self::Sqlite(options.synchronous(SqliteSynchronous::Normal)),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => Self::Postgres(options),
        }
    }
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

/// A value for a place of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Bool(bool),
}

macro_rules! values {
    ($($type:ty => $variant:ident($wrap:expr);)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant($wrap(value))
            }
        })*
    };
}

values! {
    String => Text(Some);
    &str => Text(|text: &str| Some(text.to_owned()));
    Option<String> => Text(std::convert::identity);
    i64 => Int(Some);
    Option<i64> => Int(std::convert::identity);
    Vec<u8> => Bytes(Some);
    Option<Vec<u8>> => Bytes(std::convert::identity);
    bool => Bool(std::convert::identity);
}

/// A statement whose places are `$1`, `$2`, …, with what goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A query without values yet.
pub(super) const fn query(sql: &'static str) -> Query {
    Query { sql: Cow::Borrowed(sql), values: Vec::new() }
}

/// A query that was put together from names of the schema; never from anything that came from outside.
pub(super) const fn made(sql: String) -> Query {
    Query { sql: Cow::Owned(sql), values: Vec::new() }
}

/// Adds a statement to a text, its places counted from after this many values.
pub(super) fn push_renumbered(text: &mut String, sql: &str, values: usize) {
    for (n, piece) in sql.split('$').enumerate() {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        match piece[..digits].parse::<usize>() {
            Ok(place) if n > 0 => {
                // Writing to a text does not fail.
                let _written = write!(text, "${}{}", place + values, &piece[digits..]);
            }
            _ => text.push_str(piece),
        }
    }
}

/// What a row is read into: a tuple of columns.
pub(super) trait Columns: OfSqlite + OfPostgres + Send + Unpin {}
impl<T: OfSqlite + OfPostgres + Send + Unpin> Columns for T {}

#[cfg(feature = "sqlite")]
pub(super) trait OfSqlite: for<'r> FromRow<'r, SqliteRow> {}
#[cfg(feature = "sqlite")]
impl<T: for<'r> FromRow<'r, SqliteRow>> OfSqlite for T {}
#[cfg(not(feature = "sqlite"))]
pub(super) trait OfSqlite {}
#[cfg(not(feature = "sqlite"))]
impl<T> OfSqlite for T {}

#[cfg(feature = "postgres")]
pub(super) trait OfPostgres: for<'r> FromRow<'r, PgRow> {}
#[cfg(feature = "postgres")]
impl<T: for<'r> FromRow<'r, PgRow>> OfPostgres for T {}
#[cfg(not(feature = "postgres"))]
pub(super) trait OfPostgres {}
#[cfg(not(feature = "postgres"))]
impl<T> OfPostgres for T {}

/// Where a query can run: a pool, or a connection that may be in a transaction.
pub(super) trait Executor {
    /// How long it is waited for one statement.
    fn patience(&self) -> Duration;

    /// The rows that it gives.
    fn fetch(self, query: Query, most: Most) -> impl Future<Output = Result<Rows, sqlx::Error>> + Send;
}

/// How many rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Most {
    /// The first. Of a file its thread says no more, so that whoever asked is woken once.
    One,
    All,
}

#[cfg(feature = "sqlite")]
impl Most {
    async fn of(self, query: Query, file: &mut SqliteConnection) -> Result<Rows, sqlx::Error> {
        let rows = match self {
            Self::One => bound!(query).fetch_optional(file).await?.into_iter().collect(),
            Self::All => bound!(query).fetch_all(file).await?,
        };
        Ok(Rows::Sqlite(rows))
    }
}

/// What a query gave.
pub(super) enum Rows {
    #[cfg(feature = "sqlite")]
    Sqlite(Vec<SqliteRow>),
    #[cfg(feature = "postgres")]
    Postgres(Vec<PgRow>),
}

impl Rows {
    fn read<T: Columns>(&self) -> Result<Vec<T>, StoreError> {
        let read: Result<Vec<T>, sqlx::Error> = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(rows) => rows.iter().map(T::from_row).collect(),
            #[cfg(feature = "postgres")]
            Self::Postgres(rows) => rows.iter().map(T::from_row).collect(),
        };
        read.map_err(|error| StoreError::Corrupt { what: error.to_string() })
    }

    /// The columns of the first row, all of them texts.
    fn columns(&self) -> Result<Vec<Option<String>>, StoreError> {
        macro_rules! texts {
            ($rows:expr) => {
                $rows.first().map_or(Ok(Vec::new()), |row| (0..row.len()).map(|n| row.try_get(n)).collect())
            };
        }
        let read: Result<_, sqlx::Error> = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(rows) => texts!(rows),
            #[cfg(feature = "postgres")]
            Self::Postgres(rows) => texts!(rows),
        };
        read.map_err(|error| StoreError::Corrupt { what: error.to_string() })
    }
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
    /// With this in the next place.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

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
