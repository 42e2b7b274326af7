//! How providers are asked: over the same HTTP and TLS as all else, within bounds.

use std::pin::Pin;
use std::time::Duration;

use openidconnect::http::Response;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use wpaas_core::secret::Secret;

use crate::config::is_confidential;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of one answer; what providers say of themselves and their keys has some tens of KiB.
const MOST: usize = 512 * 1024;

/// Asks what the protocols want to know.
#[derive(Debug, Clone)]
pub struct Http(Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Others could read it on the way.
    #[error("{0} is not asked: it is not https")]
    Open(Url),
    /// More than a provider has to say.
    #[error("the answer has more than {MOST} bytes")]
    TooLarge,
    /// Neither yes nor no.
    #[error("{0} answers {1}")]
    Status(Url, StatusCode),
    /// Not what it should be.
    #[error("the answer can't be read")]
    Unreadable(#[source] serde_json::Error),
    /// Nothing that can be sent.
    #[error("the request can't be made")]
    Request(#[source] openidconnect::http::Error),
    /// No connection, no time, or no end.
    #[error("no answer")]
    Failed(#[from] reqwest::Error),
}

impl HttpError {
    /// Whether it may be gone the next time.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Failed(_) => true,
            Self::Status(_, status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Open(_) | Self::TooLarge | Self::Unreadable(_) | Self::Request(_) => false,
        }
    }
}

impl Http {
    /// Follows no redirects: a provider says itself where it is.
    ///
    /// # Errors
    ///
    /// When TLS can't be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("wpaas/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .build();
        client.map(Self)
    }

    /// Asks an API that answers JSON to whoever bears this token.
    ///
    /// # Errors
    ///
    /// [`HttpError`].
    pub async fn json<T: DeserializeOwned>(
        &self,
        url: Url,
        accept: &'static str,
        token: &Secret,
    ) -> Result<T, HttpError> {
        let request = self.0.get(url.clone()).bearer_auth(token.expose());
        let request = request.header(ACCEPT, HeaderValue::from_static(accept)).build()?;
        let answer = self.answer(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(HttpError::Status(url, answer.status()));
        }
        serde_json::from_slice(answer.body()).map_err(HttpError::Unreadable)
    }

    async fn answer(&self, request: reqwest::Request) -> Result<HttpResponse, HttpError> {
        if !is_confidential(request.url()) {
            return Err(HttpError::Open(request.url().clone()));
        }
        let mut answer = self.0.execute(request).await?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            body.extend_from_slice(&piece);
            if body.len() > MOST {
                return Err(HttpError::TooLarge);
            }
        }
        response.body(body).map_err(HttpError::Request)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move { self.answer(request.try_into()?).await })
    }
}
