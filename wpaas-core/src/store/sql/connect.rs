//! How a connection is made.

#[cfg(feature = "sqlite")]
use std::time::Duration;

use sqlx::ConnectOptions as _;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgConnectOptions;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};

use super::db::Db;
#[cfg(feature = "sqlite")]
use super::file::File;

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
