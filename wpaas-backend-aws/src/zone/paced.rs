//! A zone that is asked no faster than Route 53 takes it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use wpaas_core::converge::ErrorClass;

use crate::cloud::{CloudError, Page, Record, RecordChange, Zone};
use crate::limiter::{self, Bucket, Quota};

/// Of the five requests a second that an account has: what is there at once, and what comes within the second, are
/// five, whatever second Route 53 counts.
const REQUESTS: Quota = Quota { capacity: 2, refill: 3 };
/// Changed records, whatever the request; only one server of all changes a zone.
const CHANGES: Quota = Quota { capacity: 1500, refill: 100 };
/// How often a change is asked for while Route 53 works on an earlier one.
const TRIES: u32 = 4;

/// A zone with our own limiter in front.
#[derive(Debug)]
pub(super) struct Paced {
    zone: Arc<dyn Zone>,
    limits: Mutex<Limits>,
}

#[derive(Debug)]
struct Limits {
    requests: Bucket,
    changes: Bucket,
}

impl Paced {
    pub(super) fn new(zone: Arc<dyn Zone>) -> Self {
        let now = Instant::now();
        let limits = Limits { requests: Bucket::new(REQUESTS, now), changes: Bucket::new(CHANGES, now) };
        Self { zone, limits: Mutex::new(limits) }
    }

    /// From now on so many servers share what an account has.
    pub(super) fn share(&self, servers: NonZeroU32) {
        self.limits().requests.share(servers);
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The zone, for one request. Waits for its turn.
    async fn turn(&self) -> &dyn Zone {
        limiter::passed(|now| self.limits().requests.take(0, now)).await;
        &*self.zone
    }

    /// Waits until so many records may be changed.
    async fn room_for(&self, changes: u32) {
        limiter::passed(|now| self.limits().changes.take_many(changes, 0, now)).await;
    }

    async fn change_now(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        self.room_for(changes.iter().map(RecordChange::weight).sum()).await;
        self.turn().await.change(changes).await
    }
}

#[async_trait]
impl Zone for Paced {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        self.turn().await.records(next).await
    }

    /// Waits for an earlier change that Route 53 still works on, for some seconds.
    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        for _ in 1..TRIES {
            match self.change_now(changes).await {
                Err(error) if error.is(CloudError::PRIOR_CHANGE) => {
                    let ErrorClass::Throttled { retry_after: Some(pause) } = error.class() else {
                        return Err(error);
                    };
                    sleep(pause).await;
                }
                answer => return answer,
            }
        }
        self.change_now(changes).await
    }

    async fn in_sync(&self, change: &str) -> Result<bool, CloudError> {
        self.turn().await.in_sync(change).await
    }
}
