use std::fmt;
use std::str::FromStr;
use std::time::Duration;

#[cfg(feature = "testing")]
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::connect::Options;
use super::db::Pool;
use super::{SqlStore, unavailable};
use crate::secret::Secret;
use crate::store::StoreError;

/// Without a connection for so long, a read is refused: who asks is to come again.
const AWAY: Duration = Duration::from_secs(2);
/// Reads that go on beside the writer and each other.
const READERS: u32 = 8;

/// Where a `PostgreSQL` database is: `postgres://USER@HOST:PORT/DATABASE`, with the options of libpq such as
/// `?sslmode=verify-full&sslrootcert=FILE`. Shown, it is the address alone.
#[derive(Clone)]
pub struct PostgresUrl {
    options: PgConnectOptions,
}

/// Why a text is no address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It would be seen in process lists and configuration.
    #[error("must hold no password: put that in a file and name the file")]
    Password,
    /// Anything else that is wrong with it.
    #[error("must be like postgres://USER@HOST:PORT/DATABASE ({0})")]
    Malformed(String),
}

impl FromStr for PostgresUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let malformed = |why: &dyn fmt::Display| InvalidUrl::Malformed(why.to_string());
        let url = url::Url::parse(text).map_err(|error| malformed(&error))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(malformed(&"another scheme"));
        }
        if url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password") {
            return Err(InvalidUrl::Password);
        }
        let options: PgConnectOptions = text.parse().map_err(|error: sqlx::Error| malformed(&error))?;
        if options.get_database().is_none() {
            return Err(malformed(&"no database is named"));
        }
        Ok(Self { options: options.application_name("wpaas").options(LIMITS) })
    }
}

/// What a server that hangs may hold up: it keeps the others from writing while it is in a transaction, and loses that
/// after 5 s. Times in milliseconds.
const LIMITS: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "5000"),
    ("lock_timeout", "15000"),
    ("statement_timeout", "20000"),
    ("client_connection_check_interval", "2000"),
];

impl PostgresUrl {
    pub(super) fn options(&self) -> Options {
        Options::Postgres(self.options.clone())
    }

    /// Signs in with this password. Without, libpq's password file (`~/.pgpass`) is asked.
    #[must_use]
    pub fn with_password(mut self, password: &Secret) -> Self {
        self.options = self.options.password(password.expose());
        self
    }
}

#[cfg(feature = "testing")]
impl PostgresUrl {
    /// Makes a database of this name beside this one.
    pub(crate) async fn create(&self, name: &str) -> Result<(), sqlx::Error> {
        let mut db = self.options.connect().await?;
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE template0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut db).await.map(drop)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host, port) =
            (self.options.get_username(), self.options.get_host(), self.options.get_port());
        write!(f, "postgres://{user}@{host}:{port}/{}", self.options.get_database().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

impl SqlStore {
    /// Connects to a `PostgreSQL` database (14 or newer) and brings its schema up to date. Any number of programs can
    /// share it, and start at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] for a database of a newer program.
    pub async fn connect(url: &PostgresUrl) -> Result<Self, StoreError> {
        Self::connect_looking(url, super::follow::POLL).await
    }

    /// Looks this often for what others commit, beside their notifications.
    pub(super) async fn connect_looking(url: &PostgresUrl, poll: Duration) -> Result<Self, StoreError> {
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(AWAY)
            .connect_lazy_with(url.options.clone());
        let options = url.options();
        let connection = options.connect().await.map_err(unavailable)?;
        let mut store = Self::start(Pool::Postgres(readers.clone()), options, connection, poll).await?;
        store.spawn(super::follow::listen(readers, store.hint.clone()));
        Ok(store)
    }
}
