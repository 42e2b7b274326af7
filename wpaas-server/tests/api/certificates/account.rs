use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, Key};
use rustls_pki_types::PrivateKeyDer;
use tokio_util::bytes::Bytes;
use wpaas_core::secret::Secret;

use crate::pebble::Pebble;

/// Ends the account of this key.
pub async fn deactivate(pebble: &Pebble, key: &Secret) {
    let pkcs8 = BASE64_STANDARD.decode(key.expose()).unwrap();
    let pair = (Key::from_pkcs8_der(pkcs8.clone().into()).unwrap(), PrivateKeyDer::Pkcs8(pkcs8.into()));
    let root = std::fs::read(pebble.root()).unwrap();
    let root = reqwest::Certificate::from_pem(&root).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let builder = instant_acme::Account::builder_with_http(Box::new(Http(client)));
    let (account, _) = builder.from_key(pair, pebble.directory()).await.unwrap();
    account.deactivate().await.unwrap();
}

struct Http(reqwest::Client);

impl HttpClient for Http {
    fn request(
        &self,
        request: axum::http::Request<BodyWrapper<Bytes>>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        use http_body_util::BodyExt as _;
        let client = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let request = axum::http::Request::from_parts(parts, body.to_bytes());
            let answer = client.execute(request.try_into().unwrap()).await.unwrap();
            Ok(BytesResponse::from(axum::http::Response::from(answer)))
        })
    }
}
