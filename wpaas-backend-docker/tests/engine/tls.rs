//! HTTPS at the gateway of the real images.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use wpaas_core::converge::{Action, Part, Routes, RunIntent, TlsCertificate, TlsIntent};
use wpaas_core::node::GatewayConfig;
use wpaas_core::secret::{SecretName, SecretRef};

use crate::fakes::{WILDCARDS, certificate};
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

/// What tells a gateway what to answer an authority with.
pub fn answering() -> TlsIntent {
    TlsIntent { challenge: Some("Our-thumb_print".into()), certificates: Vec::new().into() }
}

/// Whether the gateway answers an authority as it is told to.
pub async fn answers(address: &str) -> bool {
    let asked = format!("http://{address}/.well-known/acme-challenge/a_Token-1");
    let answer = Command::new("curl").args(["-s", "-m", "60", &asked]).output().await.unwrap();
    answer.stdout == b"a_Token-1.Our-thumb_print"
}

/// Whether what the gateway shows is the certificate of this version.
async fn shows(address: &str, folder: &Path, version: u64) -> bool {
    let root = folder.join(version.to_string());
    std::fs::write(&root, certificate(version)).unwrap();
    let trusted = ["--cacert", root.to_str().unwrap(), "https://lab.example/"];
    curl(address, &trusted, "%{http_code}").await == "200"
}

/// What a server's first record is.
#[derive(Debug, PartialEq, Eq)]
enum Record {
    Alert,
    Handshake,
}

/// What comes first after a greeting in this version of TLS: the kind of a handshake, or the reason of an alert.
async fn greeted(address: &str, version: [u8; 2]) -> (Record, u8) {
    let mut connection = TcpStream::connect((address, 443)).await.unwrap();
    connection.write_all(&greeting(version)).await.unwrap();
    let mut record = [0; 7];
    connection.read_exact(&mut record).await.unwrap();
    match record {
        [21, _, _, _, _, _, reason] => (Record::Alert, reason),
        [22, _, _, _, _, kind, _] => (Record::Handshake, kind),
        other => panic!("no TLS: {other:?}"),
    }
}

/// A client's greeting to lab.example: cipher suites of TLS 1.2 and of what was before it.
fn greeting(version: [u8; 2]) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let extension = |kind: u8, content: &[u8]| [&[0, kind][..], &sized(content)].concat();
    let extensions = [
        extension(0, &sized(&[&[0][..], &sized(HOST.as_bytes())].concat())),
        extension(10, &sized(&[0, 23, 0, 24])),
        extension(11, &[1, 0]),
        extension(13, &sized(&[4, 3, 8, 4, 4, 1, 2, 3, 2, 1])),
    ];
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x2f];
    let hello =
        [&version[..], &[7_u8; 32], &[0_u8], &sized(&suites), &[1, 0], &sized(&extensions.concat())].concat();
    let handshake = [&[1, 0][..], &sized(&hello)].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

/// One request that is under way with the certificate that there is now, and whose end comes when it is told to. It
/// says how it was answered, and over how many connections.
async fn begun(address: &str) -> (Child, ChildStdin) {
    let there = format!("{HOST}:443:{address}");
    let mut command = Command::new("curl");
    command.args(["-s", "-v", "-k", "-m", "120", "-o", "/dev/null", "-w", "%{http_code}/%{num_connects}"]);
    command.args(["--resolve", &there, "--http1.1", "-X", "POST", "-T", "-", "https://lab.example/"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut body = child.stdin.take().unwrap();
    body.write_all(b"a=begun&").await.unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    while !told.next_line().await.unwrap().expect("it is sent").starts_with("> POST") {}
    child.stderr = Some(told.into_inner().into_inner());
    (child, body)
}

/// A host of the site and one of its routes are served with wildcards.
async fn wildcards(lab: &Lab, address: &str, routes: &Routes<'_>, folder: &Path) {
    let hosts = ["site.lab.example", "next.site.lab.example"];
    let certificates = WILDCARDS.into_iter().zip(hosts).map(|(version, host)| TlsCertificate {
        secret: SecretRef { site: lab.site, name: SecretName::Certificate, version },
        redirects: vec![(host.to_owned(), host.to_owned())],
        strict: Vec::new(),
    });
    let tls = TlsIntent { challenge: None, certificates: certificates.collect() };
    let authorities = hosts.map(str::to_owned).into();
    configure(lab, address, routes, RunIntent { authorities, tls, ..wanted() }).await;
    for (version, host) in WILDCARDS.into_iter().zip(hosts) {
        let root = folder.join(version.to_string());
        std::fs::write(&root, certificate(version)).unwrap();
        let url = format!("https://{host}/");
        let there = format!("{host}:443:{address}");
        let trusting = ["--cacert", root.to_str().unwrap(), "--resolve", &there, &url];
        lab.until(host, async || curl(address, &trusting, "%{http_code}").await == "200").await;
    }
    let other = format!("other.lab.example:443:{address}");
    let unknown = ["-k", "--resolve", &other, "https://other.lab.example/"];
    assert_eq!(curl(address, &unknown, "%{http_code}").await, "421", "it is covered, and no site's");
}

async fn tell(lab: &Lab, address: &str, routes: &Routes<'_>, versions: &[u64]) {
    let certificate = |version: &u64| TlsCertificate {
        secret: SecretRef { site: lab.site, name: SecretName::Certificate, version: *version },
        redirects: vec![(HOST.to_owned(), HOST.to_owned())],
        strict: vec![(HOST.to_owned(), 86_400)],
    };
    let tls = TlsIntent { certificates: versions.iter().map(certificate).collect(), ..answering() };
    configure(lab, address, routes, RunIntent { authorities: vec![HOST.to_owned()], tls, ..wanted() }).await;
}

async fn configure(lab: &Lab, address: &str, routes: &Routes<'_>, run: RunIntent) {
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
    assert!(answers(address).await);

    tell(lab, address, routes, &[1]).await;
    lab.until("it has a certificate", async || shows(address, folder, 1).await).await;
    lab.until("HTTP redirects", async || plain().await == "308 https://lab.example/a?b").await;
    let strict = "%header{strict-transport-security}";
    assert_eq!(curl(address, &["-k", "https://lab.example/"], strict).await, "max-age=86400");
    assert_eq!(curl(address, &["http://lab.example/"], strict).await, "", "it is said over HTTPS alone");
    // The same greeting, but for the version of TLS that it speaks.
    assert_eq!(greeted(address, [3, 3]).await, (Record::Handshake, 2), "TLS 1.2 is answered with a hello");
    assert_eq!(greeted(address, [3, 2]).await, (Record::Alert, 70), "TLS 1.1: that is no version to speak");
    let stranger = ["-k", "--resolve", &format!("other.example:443:{address}"), "https://other.example/"];
    assert_eq!(curl(address, &stranger, "%{http_code}").await, "", "no other host is spoken to");

    let stop = Arc::new(AtomicBool::new(false));
    let visits = ["--http1.1", "--http2"].map(|protocol| {
        let (address, stop) = (address.to_owned(), stop.clone());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let twenty = ["-k", protocol, "https://lab.example/?[1-20]"];
                answers.push(curl(&address, &twenty, "%{http_code}/%{num_connects} ").await);
            }
            answers
        })
    });
    let (slow, mut body) = begun(address).await;
    tell(lab, address, routes, &[2]).await;
    lab.until("it has the next one", async || shows(address, folder, 2).await).await;
    body.write_all(b"b=ended").await.unwrap();
    drop(body);
    let slow = slow.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(slow.stdout).unwrap(), "200/1", "what was under way ends as it began");
    stop.store(true, Ordering::Relaxed);
    let mut seen = 0;
    for visits in visits {
        let answers = visits.await.unwrap();
        // One connection for twenty requests: none was cut off and silently made anew.
        let whole = format!("200/1 {}", "200/0 ".repeat(19));
        assert!(answers.iter().all(|codes| *codes == whole), "{answers:?}");
        seen += answers.len() * 20;
    }
    println!("renewed under {seen} requests");
    wildcards(lab, address, routes, folder).await;
    tell(lab, address, routes, &[]).await;
    lab.until("it is plain again", async || !plain().await.starts_with("308")).await;
}
