//! The one way to EC2: whoever calls has waited for the limiter.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::cloud::{Bucket, Ec2};
use crate::limiter::{self, Call, Limiter, Urgency};

/// AWS, paced.
#[derive(Debug)]
pub(crate) struct Cloud {
    ec2: Arc<dyn Ec2>,
    limiter: Mutex<Limiter>,
    /// Not paced: S3 takes thousands of calls a second on a prefix.
    pub bucket: Arc<dyn Bucket>,
}

impl Cloud {
    pub(crate) fn new(ec2: Arc<dyn Ec2>, bucket: Arc<dyn Bucket>) -> Self {
        Self { ec2, limiter: Mutex::new(Limiter::new(Instant::now())), bucket }
    }

    /// From now on so many servers share what AWS allows the account.
    pub(crate) fn share(&self, servers: NonZeroU32) {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner).share(servers);
    }

    /// EC2, for one call of this kind. Waits for its turn: with the few steps that are taken at a time that is
    /// seconds.
    pub(crate) async fn ec2(&self, call: Call, urgency: Urgency) -> &dyn Ec2 {
        let limiter = || self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter::passed(|now| limiter().take(call, urgency, now)).await;
        &*self.ec2
    }
}
