//! Pebble, a certificate authority for tests.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use crate::ports::free_port;

/// An account that Pebble knows by other means, and its key, where it binds accounts.
pub const EXTERNAL_ACCOUNT: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

/// Debian's Pebble, in a process of its own.
pub struct Pebble {
    child: Child,
    setup: Setup,
}

/// One that does not run.
pub struct Setup {
    port: u16,
    management: u16,
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
    /// As even, and takes no account that is not bound to [`EXTERNAL_ACCOUNT`].
    BindsAccounts,
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
            "externalAccountBindingRequired": temper == Temper::BindsAccounts,
            "externalAccountMACKeys": {EXTERNAL_ACCOUNT.0: EXTERNAL_ACCOUNT.1},
        }});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Setup { port, management, dns, temper, folder }.start()
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.setup.port)
    }

    /// What vouches for its own HTTPS.
    pub fn root(&self) -> PathBuf {
        self.setup.folder.path().join("root.pem")
    }

    /// What vouches for what it issues.
    pub async fn issuer(&self) -> reqwest::Certificate {
        let root = reqwest::Certificate::from_pem(&std::fs::read(self.root()).unwrap()).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        let url = format!("https://localhost:{}/roots/0", self.setup.management);
        let pem = client.get(url).send().await.unwrap().bytes().await.unwrap();
        reqwest::Certificate::from_pem(&pem).unwrap()
    }

    pub fn stop(mut self) -> Setup {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        let Setup { port, management, dns, temper, ref mut folder } = self.setup;
        let folder = std::mem::replace(folder, TempDir::new().unwrap());
        Setup { port, management, dns, temper, folder }
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
