//! The port by the AWS SDK, a service a feature. One call of the port is one request, but for S3's, which do the same
//! when they are made again: what follows a failure is the converger's.

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cloud::CloudError;

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "ec2")]
mod ec2;
#[cfg(feature = "route53")]
mod zone;

#[cfg(feature = "s3")]
pub use bucket::SdkBucket;
#[cfg(feature = "ec2")]
pub use ec2::SdkEc2;
#[cfg(feature = "route53")]
pub use zone::SdkZone;

/// A request takes at most this long.
const PATIENCE: Duration = Duration::from_secs(25);

/// The SDK's usual chain of credentials (environment, profile, container, instance), for this region; and another
/// address of all services, for tests.
pub async fn configuration(region: &str, endpoint: Option<&str>) -> SdkConfig {
    loader(region, endpoint).load().await
}

/// As [`configuration`], with this key and nothing of the environment's.
#[cfg(any(test, feature = "testing"))]
pub async fn configuration_as(region: &str, endpoint: Option<&str>, key: (&str, &str)) -> SdkConfig {
    let credentials = aws_credential_types::Credentials::new(key.0, key.1, None, None, "test");
    loader(region, endpoint).credentials_provider(credentials).load().await
}

/// As [`configuration_as`], with this in the place of the network.
#[cfg(any(test, feature = "testing"))]
pub async fn configuration_over(
    region: &str,
    http: impl aws_smithy_runtime_api::client::http::HttpClient + 'static,
) -> SdkConfig {
    let credentials = aws_credential_types::Credentials::new("test", "test", None, None, "test");
    loader(region, None).http_client(http).credentials_provider(credentials).load().await
}

fn loader(region: &str, endpoint: Option<&str>) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(PATIENCE)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    match endpoint {
        Some(endpoint) => loader.endpoint_url(endpoint),
        None => loader,
    }
}

/// What a failure of the SDK to do this is in our own terms. What has no answer may have been done.
fn failed<E>(action: impl Into<String>) -> impl FnOnce(SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    |error| translate(&error).to(action)
}

fn translate<E>(error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(why) = credentials(error) {
        return CloudError::new(code_of(why), chain(why));
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (error.meta().code(), status) {
        (Some(code), _) => CloudError::new(code, error.meta().message().unwrap_or_default()),
        (None, Some(404)) => CloudError::new("NotFound", "there is none"),
        (None, Some(412)) => CloudError::new("PreconditionFailed", "something else is there"),
        (None, Some(403)) => CloudError::new("AccessDenied", "access denied"),
        (None, Some(status @ 300..)) => CloudError::new("InternalError", format!("AWS answered {status}")),
        (None, _) => CloudError::unanswered(chain(error)),
    }
}

/// Why there are no credentials, if that is what is behind the error.
fn credentials<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CredentialsError> {
    let mut cause: Option<&'e (dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(why) = error.downcast_ref() {
            return Some(why);
        }
        cause = error.source();
    }
    None
}

const fn code_of(why: &CredentialsError) -> &'static str {
    match why {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            CloudError::NO_CREDENTIALS
        }
        _ => CloudError::CREDENTIALS_AWAY,
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// An answer that lacks what the documentation says it has.
#[cfg(any(feature = "ec2", feature = "route53"))]
fn lacking(what: &str) -> CloudError {
    CloudError::unanswered(format!("the answer has no {what}"))
}

/// A page of what an answer has; what can't be read is counted.
#[cfg(any(feature = "ec2", feature = "s3"))]
fn page<S, T>(all: &[S], read: impl Fn(&S) -> Option<T>, next: Option<&str>) -> crate::cloud::Page<T> {
    let items: Vec<T> = all.iter().filter_map(read).collect();
    let next = next.filter(|next| !next.is_empty()).map(str::to_owned);
    crate::cloud::Page { unreadable: all.len() - items.len(), items, next }
}
