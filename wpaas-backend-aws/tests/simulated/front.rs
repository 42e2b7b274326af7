//! The simulator itself.

use std::sync::Arc;

use wpaas_backend_aws::cloud::{Bucket, Ec2, Zone};
use wpaas_backend_aws::testing::Simulator;

/// What the backend asks.
#[derive(Debug, Clone)]
pub struct Front {
    pub ec2: Arc<dyn Ec2>,
    pub bucket: Arc<dyn Bucket>,
    pub zone: Arc<dyn Zone>,
}

impl Front {
    /// Sites of the fleet, unless `WPAAS_TEST_FLEET` says how many.
    pub const SITES: u32 = 150;

    /// Whether the suites try this one of many cases.
    pub const fn takes(_: usize) -> bool {
        true
    }

    /// As the one over the SDK is made.
    #[expect(clippy::unused_async, reason = "the one over the SDK waits for it")]
    pub async fn of(aws: &Simulator) -> Self {
        let aws = Arc::new(aws.clone());
        Self { ec2: aws.clone(), bucket: aws.clone(), zone: aws }
    }
}
