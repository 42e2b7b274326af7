//! The front that the SDK speaks to: HTTP as EC2, S3 and Route 53 have it, below the SDK's own signing, time-outs and
//! retries. Nothing listens anywhere, so tokio's paused clock holds for it, too.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::{Policy, Simulator};
use crate::cloud::CloudError;
use crate::sdk;

mod ec2;
mod form;
mod leave;
mod request;
mod route53;
mod s3;
mod xml;

use form::Form;
use request::Request;

/// The id of the one hosted zone that there is.
pub const ZONE: &str = "ZLAB";

impl Simulator {
    /// What the SDK's clients are made with, so that they talk to this: the region and the bucket of
    /// [`super::config`], and the zone [`ZONE`].
    pub async fn configuration(&self) -> SdkConfig {
        self.front(None).await
    }

    /// As [`Self::configuration`], as a role that may do this and nothing else.
    pub async fn configuration_under(&self, policy: Policy) -> SdkConfig {
        self.front(Some(Arc::new(policy))).await
    }

    async fn front(&self, policy: Option<Arc<Policy>>) -> SdkConfig {
        let wire = Wire { aws: self.clone(), bucket: super::config().bucket, policy };
        sdk::configuration_over(&super::config().region, wire).await
    }
}

#[derive(Debug, Clone)]
struct Wire {
    aws: Simulator,
    bucket: String,
    policy: Option<Arc<Policy>>,
}

/// What goes back.
struct Answer {
    status: u16,
    etag: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, etag: None, body: body.into() }
    }

    /// A document, as a service tells of a failure.
    fn failure(error: &CloudError, body: String) -> Self {
        Self { status: status(error), etag: None, body: body.into() }
    }
}

/// The status that goes with a code.
fn status(error: &CloudError) -> u16 {
    match error.code.as_str() {
        "RequestLimitExceeded" => 503,
        "InternalError" => 500,
        "UnauthorizedOperation" | "AccessDenied" => 403,
        "NoSuchKey" | "NoSuchBucket" | "NoSuchHostedZone" => 404,
        "PreconditionFailed" => 412,
        _ => 400,
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let request = Request::read(request).await.map_err(|error| ConnectorError::other(error, None))?;
            response(wire.answer(&request).await?)
        })
    }
}

impl Wire {
    async fn answer(&self, request: &Request) -> Result<Answer, ConnectorError> {
        let service = request.host.split('.').next().unwrap_or_default();
        let failure: fn(&CloudError) -> String = match service {
            "ec2" => ec2::failure,
            "route53" => route53::failure,
            _ => s3::failure,
        };
        match self.ask(service, request).await {
            Ok(answer) => Ok(answer),
            Err(error) if error.message == Simulator::BROKEN_OFF => Ok(Answer::ok("<Response><Half")),
            Err(error) if error.code.is_empty() => Err(ConnectorError::io(error.into())),
            Err(error) => Ok(Answer::failure(&error, failure(&error))),
        }
    }
}

impl Wire {
    async fn ask(&self, service: &str, request: &Request) -> Result<Answer, CloudError> {
        self.permit(service, request)?;
        match service {
            "ec2" => ec2::answer(&self.aws, request).await,
            "route53" => route53::answer(&self.aws, request).await,
            bucket if bucket == self.bucket => s3::answer(&self.aws, request).await,
            _ => Err(CloudError::new("NoSuchBucket", "The specified bucket does not exist")),
        }
    }

    /// Whether the policy, if there is one, allows it.
    fn permit(&self, service: &str, request: &Request) -> Result<(), CloudError> {
        let Some(policy) = &self.policy else { return Ok(()) };
        match service {
            "ec2" => {
                let asks = leave::of_ec2(&self.aws, &Form::read(&request.body));
                leave::check(policy, &asks, "UnauthorizedOperation")
            }
            "route53" => leave::check(policy, &leave::of_route53(request), "AccessDenied"),
            bucket => leave::check(policy, &leave::of_s3(bucket, request), "AccessDenied"),
        }
    }
}

fn response(Answer { status, etag, body }: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    if let Some(etag) = etag {
        response.headers_mut().insert("etag", etag);
    }
    Ok(response)
}
