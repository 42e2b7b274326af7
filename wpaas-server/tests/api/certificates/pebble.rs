use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, Key};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::bytes::Bytes;
use wpaas_core::secret::Secret;

use super::super::ports::free_port;

/// Debian's Pebble, in a process of its own.
pub struct Pebble {
    child: Child,
    setup: Setup,
}

/// One that does not run.
pub struct Setup {
    port: u16,
    dns: SocketAddr,
    temper: Temper,
    folder: TempDir,
}

/// How it is to those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// Takes one nonce of twenty for bad.
    Even,
    /// Takes one nonce of three for bad.
    RefusesNonces,
}

/// Whether the program is there; a run that demands it fails without.
pub fn is_there() -> bool {
    let there = Command::new("pebble").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(
        there || std::env::var("WPAAS_TEST_PEBBLE").as_deref() != Ok("1"),
        "WPAAS_TEST_PEBBLE=1, and no pebble"
    );
    if !there {
        eprintln!("skipped: there is no pebble");
    }
    there
}

impl Pebble {
    /// Looks names up at `dns`, and asks gateways at this port.
    pub fn start(dns: SocketAddr, http_port: u16, temper: Temper) -> Self {
        let folder = TempDir::new().unwrap();
        let (port, management) = (free_port(), free_port());
        certify(folder.path());
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("cert.pem"),
            "privateKey": folder.path().join("key.pem"),
            "httpPort": http_port,
            "tlsPort": http_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Setup { port, dns, temper, folder }.start()
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.setup.port)
    }

    /// What vouches for its own HTTPS.
    pub fn root(&self) -> PathBuf {
        self.setup.folder.path().join("root.pem")
    }

    pub fn stop(mut self) -> Setup {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        let Setup { port, dns, temper, ref mut folder } = self.setup;
        let folder = std::mem::replace(folder, TempDir::new().unwrap());
        Setup { port, dns, temper, folder }
    }

    /// Ends the account of this key.
    pub async fn deactivate(&self, key: &Secret) {
        let pkcs8 = BASE64_STANDARD.decode(key.expose()).unwrap();
        let pair = (Key::from_pkcs8_der(pkcs8.clone().into()).unwrap(), PrivateKeyDer::Pkcs8(pkcs8.into()));
        let root = std::fs::read(self.root()).unwrap();
        let root = reqwest::Certificate::from_pem(&root).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        let builder = instant_acme::Account::builder_with_http(Box::new(Http(client)));
        let (account, _) = builder.from_key(pair, self.directory()).await.unwrap();
        account.deactivate().await.unwrap();
    }
}

impl Setup {
    pub fn start(self) -> Pebble {
        let refused = if self.temper == Temper::RefusesNonces { "33" } else { "5" };
        let child = Command::new("pebble")
            .arg("-config")
            .arg(self.folder.path().join("config.json"))
            .args(["-dnsserver", &self.dns.to_string()])
            .envs([
                ("PEBBLE_VA_NOSLEEP", "1"),
                ("PEBBLE_WFE_NONCEREJECT", refused),
                ("PEBBLE_AUTHZREUSE", "0"),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pebble = Pebble { child, setup: self };
        while TcpStream::connect(("127.0.0.1", pebble.setup.port)).is_err() {
            assert_eq!(pebble.child.try_wait().unwrap(), None, "pebble ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A root, and a certificate for localhost that it vouches for.
fn certify(folder: &Path) {
    let root_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::from_params(&params, &root_key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    for (name, pem) in [("root.pem", root.pem()), ("cert.pem", leaf.pem()), ("key.pem", key.serialize_pem())]
    {
        std::fs::write(folder.join(name), pem).unwrap();
    }
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
