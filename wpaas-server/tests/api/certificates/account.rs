//! Our account at the authority.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, Key};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio_util::bytes::Bytes;
use wpaas_core::secret::Secret;
use wpaas_core::site::CertificateState;
use wpaas_server::config::ExternalAccountSettings;

use super::after;
use super::world::World;
use crate::pebble::{EXTERNAL_ACCOUNT, Pebble, Temper, is_there};

#[tokio::test]
async fn an_account_that_was_deactivated_is_replaced() {
    if !is_there() {
        return;
    }
    let mut world = World::of(1).await;
    let pebble = world.pebble(Temper::Even);
    let mut certificates = world.certificates().await;
    certificates.sweep().await.unwrap();
    let now = Timestamp::now();
    assert_eq!(certificates.work(now).await.unwrap(), 1);
    let (_, issued, _) = world.standing("s0").await;
    let before = world.service.acme_key(&world.settings.directory).await.unwrap().unwrap();
    deactivate(&pebble, &before.key).await;

    let due = issued.unwrap().not_after - SignedDuration::from_hours(24);
    assert_eq!(certificates.work(due).await.unwrap(), 1);
    let key = world.service.acme_key(&world.settings.directory).await.unwrap().unwrap();
    assert_eq!(key.version, before.version + 1);
    assert_ne!(key.key, before.key);
    let (state, _, words) = world.standing("s0").await;
    assert_eq!((state, words.as_str()), (CertificateState::Issued, ""), "nothing is said of it");
    assert_eq!(certificates.work(due).await.unwrap(), 0, "the gateways answer with the old key");
    world.tell_gateways(&mut certificates).await;
    assert_eq!(certificates.work(due).await.unwrap(), 1);
    assert_eq!(world.standing("s0").await.1.unwrap().version, 2);

    let again = world.certificates().await;
    assert_eq!(
        again.thumbprint().unwrap(),
        certificates.thumbprint().unwrap(),
        "what is kept is the new one"
    );
}

#[tokio::test]
async fn an_account_is_bound_to_one_that_the_authority_knows() {
    if !is_there() {
        return;
    }
    let mut world = World::of(1).await;
    let _pebble = world.pebble(Temper::BindsAccounts);
    let folder = TempDir::new().unwrap();
    let external = |key: &str| {
        let hmac_key_file = folder.path().join(key);
        std::fs::write(&hmac_key_file, format!("{key}\n")).unwrap();
        Some(ExternalAccountSettings { kid: EXTERNAL_ACCOUNT.0.to_owned(), hmac_key_file })
    };
    let now = Timestamp::now();
    for unbound in [None, external("b25lIHRoYXQgaXMgd3Jvbmc")] {
        world.settings.external_account = unbound;
        let mut certificates = world.certificates().await;
        let due = after(now, 1 + i64::from(world.settings.external_account.is_some()));
        assert_eq!(certificates.work(due).await.unwrap(), 1);
        let (state, _, words) = world.standing("s0").await;
        assert_eq!(state, CertificateState::Failed);
        assert!(words.contains("external") || words.contains("HMAC"), "{words}");
    }

    world.settings.external_account = external(EXTERNAL_ACCOUNT.1);
    let mut certificates = world.certificates().await;
    let first = certificates.thumbprint().unwrap();
    let due = after(now, 24);
    assert_eq!(certificates.work(due).await.unwrap(), 1, "which makes the account");
    assert_ne!(certificates.thumbprint().unwrap(), first);
    world.tell_gateways(&mut certificates).await;
    assert_eq!(certificates.work(due).await.unwrap(), 1);
    let (state, _, words) = world.standing("s0").await;
    assert_eq!((state, words.as_str()), (CertificateState::Issued, ""));
    let again = world.certificates().await;
    assert_eq!(again.thumbprint().unwrap(), certificates.thumbprint().unwrap(), "it is kept");
}

/// Ends the account of this key.
async fn deactivate(pebble: &Pebble, key: &Secret) {
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
