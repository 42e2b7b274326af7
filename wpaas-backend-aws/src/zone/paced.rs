//! A zone that is asked no faster than Route 53 takes it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use crate::cloud::{CloudError, Page, Record, RecordChange, Zone};
use crate::limiter::{Bucket, Quota};

/// What one server takes of the five requests a second that an account has.
const QUOTA: Quota = Quota { capacity: 5, refill: 2 };

/// A zone with our own limiter in front.
#[derive(Debug)]
pub(super) struct Paced {
    zone: Arc<dyn Zone>,
    bucket: Mutex<Bucket>,
}

impl Paced {
    pub(super) fn new(zone: Arc<dyn Zone>) -> Self {
        Self { zone, bucket: Mutex::new(Bucket::new(QUOTA, Instant::now())) }
    }

    /// The zone, for one request. Waits for its turn.
    async fn turn(&self) -> &dyn Zone {
        loop {
            let turn = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(0, Instant::now());
            match turn {
                Ok(()) => return &*self.zone,
                Err(later) => sleep_until(later).await,
            }
        }
    }
}

#[async_trait]
impl Zone for Paced {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        self.turn().await.records(next).await
    }

    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        self.turn().await.change(changes).await
    }

    async fn in_sync(&self, change: &str) -> Result<bool, CloudError> {
        self.turn().await.in_sync(change).await
    }
}
