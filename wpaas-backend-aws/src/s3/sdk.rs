use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use wpaas_core::reach::{Reach, Resolve, SystemResolver};

use super::{AccessKey, Connect, Download, Identity, Object, ObjectError, Objects, Page, Place};

mod dns;

use dns::CheckedDns;

/// Where a bucket is looked for when nobody said.
const REGION: &str = "us-east-1";

/// The port by the AWS SDK. What it connects to was looked up once and checked, redirects are not followed.
#[derive(Debug, Clone)]
pub struct SdkConnect {
    resolver: Arc<dyn Resolve>,
}

impl Default for SdkConnect {
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver) }
    }
}

impl SdkConnect {
    /// With this look-up of names.
    #[must_use]
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver }
    }

    fn config(&self, place: &Place) -> Builder {
        let reach = if place.endpoint.is_some() { Reach::Anywhere } else { Reach::Public };
        let dns = CheckedDns::new(self.resolver.clone(), reach);
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30))
            .build();
        let region = place.region.clone().unwrap_or_else(|| REGION.to_owned());
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.build_with_resolver(dns))
            .timeout_config(timeouts)
            .region(Region::new(region))
            .force_path_style(place.endpoint.is_some());
        match &place.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        }
    }
}

#[async_trait]
impl Connect for SdkConnect {
    async fn connect(&self, place: &Place, identity: Identity) -> Result<Box<dyn Objects>, ObjectError> {
        let config = self.config(place);
        let config = match identity {
            Identity::Anonymous => config.allow_no_auth(),
            Identity::Key(key) => config.credentials_provider(credentials(&key)),
            Identity::Server => {
                let (provider, region) = own_identity().await?;
                let config = config.credentials_provider(provider);
                if place.region.is_none() { config.region(region) } else { config }
            }
        };
        Ok(Box::new(Bucket { client: Client::from_conf(config.build()), name: place.bucket.clone() }))
    }
}

fn credentials(key: &AccessKey) -> Credentials {
    let token = key.session_token.as_ref().map(|token| token.expose().to_owned());
    Credentials::new(&key.id, key.secret.expose(), token, None, "code.credential")
}

/// The environment's credentials and region, and nothing else of it.
async fn own_identity() -> Result<(SharedCredentialsProvider, Region), ObjectError> {
    let own = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let missing = || ObjectError::Unavailable("this server has no identity at AWS".into());
    let region = own.region().cloned().unwrap_or_else(|| Region::from_static(REGION));
    Ok((own.credentials_provider().ok_or_else(missing)?, region))
}

struct Bucket {
    client: Client,
    name: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Objects for Bucket {
    async fn list(&self, prefix: &str, next: Option<String>) -> Result<Page, ObjectError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let answer = request.set_continuation_token(next).send().await.map_err(|error| translate(&error))?;
        let more = answer.is_truncated().unwrap_or(false);
        let objects = answer.contents.unwrap_or_default().into_iter().map(|object| Object {
            key: object.key.unwrap_or_default(),
            size: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            etag: object.e_tag.unwrap_or_default(),
        });
        let next = answer.next_continuation_token.filter(|_| more);
        if more && next.is_none() {
            return Err(ObjectError::Unavailable("a listing broke off".into()));
        }
        Ok(Page { objects: objects.collect(), next })
    }

    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Download, ObjectError> {
        let etag = etag.filter(|etag| !etag.is_empty()).map(str::to_owned);
        let request = self.client.get_object().bucket(&self.name).key(key).set_if_match(etag);
        let answer = request.send().await.map_err(|error| translate(&error))?;
        let version = answer.version_id.filter(|version| version != "null");
        let revision = version.or(answer.e_tag).unwrap_or_default();
        let size = answer.content_length.and_then(|size| u64::try_from(size).ok());
        Ok(Download { body: parts(answer.body), size, revision })
    }
}

fn parts(body: ByteStream) -> BoxStream<'static, std::io::Result<bytes::Bytes>> {
    let next = |mut body: ByteStream| async {
        let part = body.next().await?;
        Some((part.map_err(std::io::Error::other), body))
    };
    stream::unfold(body, next).boxed()
}

fn translate<E>(error: &SdkError<E, HttpResponse>) -> ObjectError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(refused) = dns::refusal(error) {
        return ObjectError::Refused(refused);
    }
    let response = error.raw_response();
    let status = response.map_or(0, |response| response.status().as_u16());
    match (error.code().unwrap_or_default(), status) {
        ("NoSuchBucket", _) => ObjectError::NoBucket,
        ("NoSuchKey", _) => ObjectError::NoObject,
        ("PreconditionFailed", _) | (_, 412) => ObjectError::Changed,
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => {
            let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
            ObjectError::OtherRegion(region.filter(|region| is_region(region)).map(str::to_owned))
        }
        (_, 401 | 403) => ObjectError::Denied,
        (_, 404) => ObjectError::NoObject,
        (code, 400..) => ObjectError::Unavailable(format!("S3 answered {status} {}", plain(code))),
        _ => {
            tracing::debug!(error = %DisplayErrorContext(error), "S3 can't be reached");
            ObjectError::Unavailable("S3 can't be reached".into())
        }
    }
}

fn is_region(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(60).collect()
}
