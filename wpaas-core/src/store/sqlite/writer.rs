use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::apply::apply;
use super::unavailable;
use crate::store::{Change, Committed, Mode, StoreError};

/// A change, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) reply: oneshot::Sender<Result<Committed, StoreError>>,
}

/// What became of a job inside a transaction that is not committed yet.
type Outcome = (Mode, oneshot::Sender<Result<Committed, StoreError>>, Result<Committed, StoreError>);

/// How many changes share one transaction, and one wait for the disk.
const BATCH: usize = 128;

/// Owns the connection that writes. Takes what is queued into one transaction, each change in a savepoint of its
/// own, and answers only after the commit; a refusal too, since it may rest on a change of the same batch.
pub(super) async fn run(
    options: SqliteConnectOptions,
    mut connection: SqliteConnection,
    mut jobs: mpsc::Receiver<Job>,
    feed: broadcast::Sender<Committed>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.recv_many(&mut batch, BATCH).await > 0 {
        let (outcomes, failure) = write(&mut connection, &mut batch).await;
        let failed = failure.is_some();
        answer(outcomes, failure, &feed);
        if failed && let Ok(new) = options.connect().await {
            // Dropping the old connection rolls back whatever it had begun.
            connection = new;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; its log is replayed at the next start");
    }
}

async fn write(
    connection: &mut SqliteConnection,
    batch: &mut Vec<Job>,
) -> (Vec<Outcome>, Option<sqlx::Error>) {
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut transaction = match connection.begin_with("BEGIN IMMEDIATE").await {
        Ok(transaction) => transaction,
        Err(error) => {
            outcomes
                .extend(batch.drain(..).map(|job| (job.change.mode, job.reply, Ok(Committed::default()))));
            return (outcomes, Some(error));
        }
    };
    let mut failure = None;
    for Job { change, reply } in batch.drain(..) {
        let mode = change.mode;
        let result = match failure {
            None => in_savepoint(&mut transaction, change).await,
            Some(_) => Ok(Ok(Committed::default())),
        };
        match result {
            Ok(result) => outcomes.push((mode, reply, result)),
            Err(error) => {
                outcomes.push((mode, reply, Ok(Committed::default())));
                failure = Some(error);
            }
        }
    }
    let ended = if failure.is_some() { transaction.rollback().await } else { transaction.commit().await };
    (outcomes, failure.or(ended.err()))
}

/// The outer error is one after which the whole batch can't be trusted.
async fn in_savepoint(
    db: &mut SqliteConnection,
    change: Change,
) -> Result<Result<Committed, StoreError>, sqlx::Error> {
    let mode = change.mode;
    let mut savepoint = db.begin().await?;
    let result = apply(&mut savepoint, change).await;
    if result.is_ok() && mode == Mode::Commit {
        savepoint.commit().await?;
    } else {
        savepoint.rollback().await?;
    }
    Ok(result)
}

/// Tells each caller; when the transaction failed, nothing of it was done, whatever it looked like.
fn answer(outcomes: Vec<Outcome>, failure: Option<sqlx::Error>, feed: &broadcast::Sender<Committed>) {
    let failure = failure.map(std::sync::Arc::new);
    for (mode, reply, result) in outcomes {
        let result = match &failure {
            Some(error) => Err(unavailable(std::sync::Arc::clone(error))),
            None => result,
        };
        if mode == Mode::Commit
            && let Ok(committed) = &result
        {
            // Nobody may be listening.
            drop(feed.send(committed.clone()));
        }
        // The caller may have gone; what is committed stays.
        drop(reply.send(result));
    }
}
