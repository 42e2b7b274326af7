//! The changes that wait for the writer.

use tokio::sync::{mpsc, oneshot};

use crate::store::{Change, Committed, StoreError};

/// How many changes share one transaction, and one wait for the disk.
const BATCH: usize = 128;
/// Of those, how many at most that nobody waits for, while there are others: few enough that a burst of requests is
/// hardly slowed by them, and some always, so that they wait for no end of it.
const ASIDE: usize = 8;

/// A change, and who waits for what becomes of it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) reply: oneshot::Sender<Result<Committed, StoreError>>,
}

/// Where changes wait: apart, those that nobody waits for.
#[derive(Debug)]
pub(super) struct Queue {
    first: mpsc::Sender<Job>,
    aside: mpsc::Sender<Job>,
}

/// Where they are taken from.
#[derive(Debug)]
pub(super) struct Jobs {
    first: mpsc::Receiver<Job>,
    aside: mpsc::Receiver<Job>,
}

/// A queue of so many of each; then whoever brings one waits.
pub(super) fn queue(room: usize) -> (Queue, Jobs) {
    let (first, aside) = (mpsc::channel(room), mpsc::channel(room));
    (Queue { first: first.0, aside: aside.0 }, Jobs { first: first.1, aside: aside.1 })
}

/// Nobody takes any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Queue {
    pub(super) async fn send(&self, job: Job) -> Result<(), Closed> {
        let queue = if job.change.aside { &self.aside } else { &self.first };
        queue.send(job).await.map_err(|_| Closed)
    }
}

impl Jobs {
    /// Waits for a change, and takes what shares its transaction. `false`: there will be none.
    pub(super) async fn next(&mut self, batch: &mut Vec<Job>) -> bool {
        tokio::select! {
            biased;
            Some(job) = self.first.recv() => batch.push(job),
            Some(job) = self.aside.recv() => batch.push(job),
            else => return false,
        }
        take(&mut self.first, batch, BATCH - ASIDE);
        let alone = batch.iter().all(|job| job.change.aside);
        let most = if alone { BATCH } else { batch.len() + ASIDE };
        take(&mut self.aside, batch, most);
        true
    }
}

/// What waits already, until the batch has so many.
fn take(from: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>, most: usize) {
    while batch.len() < most
        && let Ok(job) = from.try_recv()
    {
        batch.push(job);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Of each of the next transactions how many changes somebody waits for, and how many nobody does.
    async fn batches(first: usize, aside: usize) -> Vec<(usize, usize)> {
        let (queue, mut jobs) = queue(1024);
        for n in 0..first + aside {
            let mut change = Change::at(Timestamp::UNIX_EPOCH);
            change.aside = n < aside;
            queue.send(Job { change, reply: oneshot::channel().0 }).await.unwrap();
        }
        drop(queue);
        let (mut batches, mut batch) = (Vec::new(), Vec::new());
        while jobs.next(&mut batch).await {
            let aside = batch.iter().filter(|job| job.change.aside).count();
            batches.push((batch.len() - aside, aside));
            batch.clear();
        }
        batches
    }

    #[tokio::test]
    async fn what_somebody_waits_for_goes_first_and_the_rest_is_never_left_out() {
        assert_eq!(batches(3, 40).await, [(3, 8), (0, 32)]);
        assert_eq!(batches(230, 40).await, [(120, 8), (110, 8), (0, 24)]);
        assert_eq!(batches(0, 200).await, [(0, 128), (0, 72)]);
        assert_eq!(batches(0, 0).await, []);
    }
}
