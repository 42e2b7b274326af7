//! The SDK over the simulator.

use std::sync::Arc;

use wpaas_backend_aws::cloud::{Bucket, Ec2, Zone};
use wpaas_backend_aws::sdk::{SdkBucket, SdkEc2, SdkZone};
use wpaas_backend_aws::testing::{Simulator, ZONE, config};

use crate::policy::control_plane;

/// What the backend asks, as the role that the documentation tells of.
#[derive(Debug, Clone)]
pub struct Front {
    pub ec2: Arc<dyn Ec2>,
    pub bucket: Arc<dyn Bucket>,
    pub zone: Arc<dyn Zone>,
}

impl Front {
    /// Sites of the fleet, unless `WPAAS_TEST_FLEET` says how many.
    pub const SITES: u32 = 12;

    /// Whether the suites try this one of many cases: one in seven, as all take minutes over the SDK; all of them
    /// where `WPAAS_TEST_WIRE` is set.
    pub fn takes(case: usize) -> bool {
        case.is_multiple_of(7) || std::env::var_os("WPAAS_TEST_WIRE").is_some()
    }

    pub async fn of(aws: &Simulator) -> Self {
        let sdk = aws.configuration_under(control_plane()).await;
        Self {
            ec2: Arc::new(SdkEc2::new(&sdk)),
            bucket: Arc::new(SdkBucket::new(&sdk, &config().bucket)),
            zone: Arc::new(SdkZone::new(&sdk, ZONE)),
        }
    }
}
