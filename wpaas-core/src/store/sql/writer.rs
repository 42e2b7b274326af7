use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{broadcast, oneshot};

use super::apply::{Numbers, apply};
use super::connect::Options;
use super::db::Db;
use super::follow::Own;
use super::queue::{Job, Jobs};
use super::{micros, unavailable};
use crate::store::{Change, Committed, Mode, StoreError};

/// Who learns of what was committed.
pub(super) struct Told {
    /// What tells it apart from others' commits.
    pub(super) own: Arc<Own>,
    pub(super) feed: broadcast::Sender<Committed>,
}

/// What became of a job inside a transaction that is not committed yet.
type Outcome = (Mode, oneshot::Sender<Result<Committed, StoreError>>, Result<Committed, StoreError>);

/// A transaction that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(60);

/// What writes, and the least number of what it appends: the time in microseconds when it connected. A database that
/// comes back may have lost what was committed and told last; nothing that is told after it has a number of those again,
/// as nobody commits a million times in a second. Within a connection numbers follow each other, which [`Own`] is quick by.
struct Hand {
    db: Db,
    least: i64,
}

impl Hand {
    fn new(db: Db) -> Self {
        Self { db, least: micros(Timestamp::now()) }
    }
}

/// Owns the connection that writes. Takes what is queued into one transaction, each change in a savepoint of its
/// own, and answers only after the commit; a refusal too, since it may rest on a change of the same batch.
pub(super) async fn run(options: Options, connection: Db, mut jobs: Jobs, told: Told) {
    let mut connection = Some(Hand::new(connection));
    let mut batch = Vec::new();
    while jobs.next(&mut batch).await {
        let (outcomes, failure) = match usable(&mut connection, &options).await {
            Ok(hand) => match tokio::time::timeout(LONGEST, write(hand, &mut batch, &told.own)).await {
                Ok(done) => done,
                // The callers learn that nobody answers them.
                Err(_late) => (undone(&mut batch), Some(sqlx::Error::PoolTimedOut)),
            },
            Err(error) => (undone(&mut batch), Some(error)),
        };
        if failure.is_some() {
            // Dropping it rolls back whatever it had begun.
            connection = None;
        }
        answer(outcomes, failure, &told.feed);
    }
    let closed = match connection {
        Some(hand) => hand.db.close().await,
        None => Ok(()),
    };
    if let Err(error) = closed {
        tracing::warn!(%error, "the database was not closed cleanly; it mends that itself");
    }
}

/// The connection, made anew where the last one was lost.
async fn usable<'c>(
    connection: &'c mut Option<Hand>,
    options: &Options,
) -> Result<&'c mut Hand, sqlx::Error> {
    let hand = match connection.take() {
        Some(hand) => hand,
        None => Hand::new(options.connect().await?),
    };
    Ok(connection.insert(hand))
}

fn undone(batch: &mut Vec<Job>) -> Vec<Outcome> {
    batch.drain(..).map(|job| (job.change.mode, job.reply, Ok(Committed::default()))).collect()
}

async fn write(hand: &mut Hand, batch: &mut Vec<Job>, own: &Own) -> (Vec<Outcome>, Option<sqlx::Error>) {
    let Hand { db, least } = hand;
    if let Err(error) = db.batch_in_time(db.begins()).await {
        return (undone(batch), Some(error));
    }
    let (mut outcomes, mut numbers) = (Vec::with_capacity(batch.len()), Numbers::from(*least));
    let mut failure = None;
    for Job { change, reply } in batch.drain(..) {
        let mode = change.mode;
        let result = match failure {
            None => in_savepoint(db, change, &mut numbers).await,
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
    let ended = match failure {
        Some(error) => {
            // The connection is given up, whether this works or not; one that says nothing is not asked for more.
            if !matches!(error, sqlx::Error::PoolTimedOut) {
                drop(db.batch_in_time("ROLLBACK").await);
            }
            Err(error)
        }
        None => end(db, &outcomes, own).await,
    };
    (outcomes, ended.err())
}

/// Commits, and where there are events, lets others know.
async fn end(db: &mut Db, outcomes: &[Outcome], own: &Own) -> Result<(), sqlx::Error> {
    let stays = |(mode, _, result): &'_ Outcome| {
        let events = result.as_ref().ok().filter(|_| *mode == Mode::Commit).map(|done| &done.events);
        events.into_iter().flatten().map(|event| event.seq).collect::<Vec<_>>()
    };
    let events: Vec<u64> = outcomes.iter().flat_map(stays).collect();
    own.begin(events.iter().copied());
    let ended = db.batch_in_time(db.ends(!events.is_empty())).await;
    if ended.is_err() {
        own.failed(events.into_iter());
    }
    ended
}

/// The outer error is one after which the whole batch can't be trusted.
async fn in_savepoint(
    db: &mut Db,
    change: Change,
    numbers: &mut Numbers,
) -> Result<Result<Committed, StoreError>, sqlx::Error> {
    let (mode, before) = (change.mode, *numbers);
    db.by_the_next("SAVEPOINT change").await?;
    // What fails of it fails before the next begins.
    let result = match apply(db, change, numbers).await {
        Ok(committed) => db.settle().await.map(|()| committed),
        refused => refused,
    };
    if result.as_ref().is_err_and(was_too_late) {
        return Err(sqlx::Error::PoolTimedOut);
    }
    if result.is_ok() && mode == Mode::Commit {
        db.by_the_next("RELEASE change").await?;
    } else {
        *numbers = before;
        db.batch_in_time("ROLLBACK TO change; RELEASE change").await?;
    }
    Ok(result)
}

/// Whether the database did not answer in time: whatever is asked of it on this connection would wait as well.
fn was_too_late(error: &StoreError) -> bool {
    let StoreError::Unavailable(source) = error else { return false };
    matches!(source.downcast_ref(), Some(sqlx::Error::PoolTimedOut))
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
