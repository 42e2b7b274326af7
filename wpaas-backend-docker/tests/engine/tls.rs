//! HTTPS at the gateway of the real images.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::process::Command;
use wpaas_core::converge::{Action, Part, Routes, RunIntent, TlsCertificate, TlsIntent};
use wpaas_core::node::GatewayConfig;
use wpaas_core::secret::{SecretName, SecretRef};

use crate::fakes::certificate;
use crate::lab::Lab;
use crate::real::wanted;

const HOST: &str = "lab.example";

/// Asks the gateway as lab.example; what is printed is what `format` says, nothing when no TLS comes about.
async fn curl(address: &str, arguments: &[&str], format: &str) -> String {
    let there = [443, 80].map(|port| format!("{HOST}:{port}:{address}"));
    let mut command = Command::new("curl");
    command.args(["-s", "-m", "60", "-o", "/dev/null", "-w", format]);
    command.args(["--resolve", &there[0], "--resolve", &there[1]]).args(arguments);
    let output = command.kill_on_drop(true).output().await.unwrap();
    if output.status.success() { String::from_utf8(output.stdout).unwrap() } else { String::new() }
}

/// Whether what the gateway shows is the certificate of this version.
async fn shows(address: &str, folder: &Path, version: u64) -> bool {
    let root = folder.join(version.to_string());
    std::fs::write(&root, certificate(version)).unwrap();
    let trusted = ["--cacert", root.to_str().unwrap(), "https://lab.example/"];
    curl(address, &trusted, "%{http_code}").await == "200"
}

async fn tell(lab: &Lab, address: &str, routes: &Routes<'_>, versions: &[u64]) {
    let certificate = |version: &u64| TlsCertificate {
        secret: SecretRef { site: lab.site, name: SecretName::Certificate, version: *version },
        redirects: vec![(HOST.to_owned(), HOST.to_owned())],
        strict: vec![(HOST.to_owned(), 86_400)],
    };
    let tls = TlsIntent {
        challenge: Some("Our-thumb_print".to_owned()),
        certificates: versions.iter().map(certificate).collect(),
    };
    let run = RunIntent { authorities: vec![HOST.to_owned()], tls, ..wanted() };
    let files = GatewayConfig::new(&run, Some((address.parse().unwrap(), None)), routes).files();
    let object = lab.object(Part::Gateway(0)).await.unwrap().id;
    lab.apply(Part::Gateway(0), Action::Configure { object, files }).await.unwrap();
}

/// The site is served over HTTPS once it has a certificate, over nothing less, and a renewal is seen by nobody.
pub async fn is_served(lab: &Lab, address: &str, routes: &Routes<'_>) {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let plain = async || curl(address, &["http://lab.example/a?b"], "%{http_code} %{redirect_url}").await;
    tell(lab, address, routes, &[]).await;
    lab.until("the host is known", async || {
        plain().await.starts_with(['2', '3', '4']) && !plain().await.starts_with("421")
    })
    .await;
    assert!(!plain().await.starts_with("308"), "nothing redirects without a certificate");
    let asked = format!("http://{address}/.well-known/acme-challenge/a_Token-1");
    let answer = Command::new("curl").args(["-s", "-m", "60", &asked]).output().await.unwrap();
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "a_Token-1.Our-thumb_print");

    tell(lab, address, routes, &[1]).await;
    lab.until("it has a certificate", async || shows(address, folder, 1).await).await;
    lab.until("HTTP redirects", async || plain().await == "308 https://lab.example/a?b").await;
    let strict = "%header{strict-transport-security}";
    assert_eq!(curl(address, &["-k", "https://lab.example/"], strict).await, "max-age=86400");
    assert_eq!(curl(address, &["http://lab.example/"], strict).await, "", "it is said over HTTPS alone");
    assert_eq!(curl(address, &["-k", "--tls-max", "1.1", "https://lab.example/"], "%{http_code}").await, "");
    let stranger = ["-k", "--resolve", &format!("other.example:443:{address}"), "https://other.example/"];
    assert_eq!(curl(address, &stranger, "%{http_code}").await, "", "no other host is spoken to");

    let stop = Arc::new(AtomicBool::new(false));
    let visits = ["--http1.1", "--http2"].map(|protocol| {
        let (address, stop) = (address.to_owned(), stop.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let twenty = ["-k", protocol, "https://lab.example/?[1-20]"];
                answers.push(curl(&address, &twenty, "%{http_code} ").await);
            }
            answers
        })
    });
    tell(lab, address, routes, &[2]).await;
    lab.until("it has the next one", async || shows(address, folder, 2).await).await;
    stop.store(true, Ordering::Relaxed);
    let mut seen = 0;
    for visits in visits {
        let answers = visits.await.unwrap();
        assert!(answers.iter().all(|codes| *codes == "200 ".repeat(20)), "{answers:?}");
        seen += answers.len() * 20;
    }
    println!("renewed under {seen} requests");
    tell(lab, address, routes, &[]).await;
    lab.until("it is plain again", async || !plain().await.starts_with("308")).await;
}
