use std::pin::Pin;
use std::time::Duration;

use axum::http::Request;
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::{Certificate, Client};
use tokio_util::bytes::Bytes;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the authority is asked: over the same HTTP and TLS as all else.
#[derive(Debug, Clone)]
pub struct Http(Client);

impl Http {
    /// With what vouches for the authority's own HTTPS; what the machine trusts without.
    ///
    /// # Errors
    ///
    /// When that is no certificate, or TLS can't be set up.
    pub fn new(root: Option<&[u8]>) -> reqwest::Result<Self> {
        let builder = Client::builder().https_only(true).timeout(PATIENCE);
        let builder = match root {
            Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
            None => builder,
        };
        builder.build().map(Self)
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let other = |error: reqwest::Error| Error::Other(Box::new(error));
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let request = Request::from_parts(parts, body.to_bytes());
            let answer = client.execute(request.try_into().map_err(other)?).await.map_err(other)?;
            Ok(BytesResponse::from(axum::http::Response::from(answer)))
        })
    }
}
