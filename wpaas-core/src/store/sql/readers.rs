use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::open;

/// Connections that read one file beside each other, each lent to one query at a time. The driver's own pool asks a
/// connection before and after each use whether it is alive, which costs more than most of our queries; a file does
/// not hang up.
#[derive(Debug, Clone)]
pub(super) struct Readers {
    options: Arc<SqliteConnectOptions>,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
}

/// One that is lent. It goes back when its query ended well: one that failed, or whose caller went away, is closed.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: SqliteConnection,
    idle: Arc<Mutex<Vec<SqliteConnection>>>,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    /// As many as this at most, each made when it is first needed.
    pub(super) fn new(options: SqliteConnectOptions, most: usize) -> Self {
        Self { options: Arc::new(options), places: Arc::new(Semaphore::new(most)), idle: Arc::default() }
    }

    /// Waits for its turn.
    pub(super) async fn take(&self) -> Result<Reader, sqlx::Error> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open(&self.options).await?,
        };
        Ok(Reader { connection, idle: self.idle.clone(), _place: place })
    }
}

impl Reader {
    pub(super) fn give_back(self) {
        let Self { connection, idle, _place } = self;
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
