//! The port by the AWS SDK: S3 so far. One call of the port is one request: nothing is retried here, as
//! what follows a failure is the converger's.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cloud::CloudError;

mod bucket;

pub use bucket::SdkBucket;

/// A request takes at most this long.
const PATIENCE: Duration = Duration::from_secs(25);

/// The SDK's usual chain of credentials (environment, profile, container, instance), for this region; and another
/// address of all services, for tests.
pub async fn configuration(region: &str, endpoint: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(PATIENCE)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    match endpoint {
        Some(endpoint) => loader.endpoint_url(endpoint).load().await,
        None => loader.load().await,
    }
}

/// What a failure of the SDK is in our own terms. What has no answer may have been done.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn failed<E>(error: SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (error.meta().code(), status) {
        (Some(code), _) => CloudError::new(code, error.meta().message().unwrap_or_default()),
        (None, Some(404)) => CloudError::new("NotFound", "there is none"),
        (None, Some(412)) => CloudError::new("PreconditionFailed", "something else is there"),
        (None, Some(403)) => CloudError::new("AccessDenied", "access denied"),
        (None, Some(status)) => CloudError::new("InternalError", format!("AWS answered {status}")),
        (None, None) => CloudError::unanswered(chain(&error)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
