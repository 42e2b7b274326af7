//! HTTPS at the edge: an authority that we did not write proves the names of a site by way of the edge, and visitors
//! reach the site's own gateway through it, by the name that TLS begins with.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::names::ECHO;
use super::server::Server;
use super::{docker, engine_alone};
use crate::challenge_dns::ChallengeDns;
use crate::pebble::{Pebble, Temper, is_there};
use crate::ports::free_port;

/// Generous: an order takes some seconds, and what is due is looked for every minute.
const PATIENCE: Duration = Duration::from_secs(240);

/// Visitors who trust the authority alone, to whom all names lead here.
struct Visitors {
    client: Client,
    plain: u16,
    secure: u16,
}

impl Visitors {
    async fn ask(&self, url: &str) -> reqwest::Result<Response> {
        self.client.get(url).send().await
    }

    fn at(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.secure)
    }

    /// What is answered, once it is 200 over HTTPS.
    async fn opens(&self, host: &str) -> Option<String> {
        let response = self.ask(&self.at(host, "/")).await.ok()?;
        if response.status() == 200 { response.text().await.ok() } else { None }
    }

    async fn redirects_to(&self, host: &str, path: &str) -> Option<String> {
        let response = self.ask(&format!("http://{host}:{}{path}", self.plain)).await.ok()?;
        let there = response.headers().get("location")?.to_str().ok()?.to_owned();
        (response.status() == 308).then_some(there)
    }
}

/// What OpenSSL's client tells of a handshake with this version, old ciphers and all.
fn greet(at: &str, host: &str, version: &str) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", at, "-servername", host, "-cipher", "DEFAULT@SECLEVEL=0", version]);
    let done = client.stdin(Stdio::null()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

#[tokio::test]
async fn sites_that_share_the_edge_are_served_over_https_with_certificates_of_their_own() {
    if !is_there() {
        return;
    }
    let Some(_alone) = engine_alone().await else { return };
    let (plain, secure, names) = (free_port(), free_port(), free_port());
    let dns = ChallengeDns::start();
    let pebble = Pebble::start(dns.at, plain, Temper::Even);
    let more = format!(
        "[dns]\nlisten = \"127.0.0.1:{names}\"\n[edge]\nlisten = \"127.0.0.1:{plain}\"\nlisten_tls = \"127.0.0.1:{secure}\"\n\
         [acme]\ndirectory = \"{}\"\nroot = {:?}\nwildcards = false\n",
        pebble.directory(),
        pebble.root()
    );
    let server = Server::start_as(None, &more).await;
    server.ready().await;
    let tenant = server.tenant("edge").await;
    let code = server.repository("echo", &[("mu-plugins/echo.php", ECHO)]);
    let body = json!({
        "name": "shop", "admin_password": "swordfish-1", "address": "shared", "code": {"git": code, "ref": "main"},
        "domains": ["shop.example.org"], "features": {"hsts": true},
    });
    let site = server.post_site(&tenant, body).await;
    let platform = format!("shop.{}.www.wpaas.localhost", tenant.cid);
    let (domain, later) = ("shop.example.org", "new.example.org");
    let mut client = Client::builder().redirect(Policy::none()).tls_certs_only([pebble.issuer().await]);
    for host in [&platform, domain, later, "nobody.example.org"] {
        client = client.resolve(host, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    }
    let visitors = Visitors { client: client.build().unwrap(), plain, secure };

    for host in [&platform, domain] {
        server
            .until(&format!("{host} is served over HTTPS"), PATIENCE, async || visitors.opens(host).await)
            .await;
        server
            .until("plain HTTP redirects there", PATIENCE, async || visitors.redirects_to(host, "/a?b").await)
            .await;
        assert_eq!(visitors.redirects_to(host, "/a?b").await, Some(visitors.at(host, "/a?b")));
    }
    server
        .until("its conditions say so", PATIENCE, async || {
            let shown = server.site(&site).await;
            let is = |kind: &str| {
                let mut conditions = shown["status"]["conditions"].as_array().unwrap().iter();
                conditions.any(|it| it["type"] == kind && it["status"] == "True")
            };
            (is("CertificateReady") && is("DomainsReady")).then_some(())
        })
        .await;
    assert_eq!(server.settled(&site).await, visitors.at(&platform, "/"));

    // The gateway knows who asks, and by which name, though the edge can't read it; what visitors say counts nothing.
    let request =
        visitors.client.get(visitors.at(domain, "/t/echo?all")).header("X-Forwarded-For", "203.0.113.7");
    let response = request.send().await.unwrap();
    assert!(
        !response.headers().contains_key("strict-transport-security"),
        "a browser would ask port {plain} for HTTPS"
    );
    let said: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(said["server"]["HTTP_X_FORWARDED_FOR"], "127.0.0.1", "{said}");
    assert_eq!(
        (&said["server"]["REMOTE_ADDR"], &said["server"]["HTTPS"]),
        (&json!("127.0.0.1"), &json!("on"))
    );
    assert_eq!(said["home"], visitors.at(domain, "/"));

    // Who asks for a name that no site has is told so in TLS.
    for host in ["nobody.example.org", later] {
        let refused = format!("{:?}", visitors.ask(&visitors.at(host, "/")).await.unwrap_err());
        assert!(refused.contains("UnrecognisedName"), "{host}: {refused}");
    }

    // At the edge and at the gateway itself, TLS before 1.2 is refused by an alert of theirs.
    let gateway = docker(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        &Server::container(&site, "gateway-0"),
    ]);
    for at in [format!("127.0.0.1:{secure}"), format!("{}:443", gateway.trim())] {
        assert!(greet(&at, domain, "-tls1_1").contains("alert protocol version"), "{at} speaks TLS 1.1");
        for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let said = greet(&at, domain, flag);
            assert!(
                said.contains(&format!("New, {version}, Cipher is")),
                "{at} does not speak {version}: {said}"
            );
        }
    }

    // Another name and its certificate are no trouble to whoever is being served.
    let slow = tokio::spawn({
        let request = visitors.client.get(visitors.at(domain, "/t/slow"));
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    let change = json!({"domains": [domain, later], "primary_domain": later});
    server.done(Method::PUT, &site.path, &tenant.key, Some(change)).await;
    assert_eq!(slow.await.unwrap(), "slow and whole");
    server.until("the new name is served over HTTPS", PATIENCE, async || visitors.opens(later).await).await;
    let moved = visitors.ask(&visitors.at(domain, "/a?b")).await.unwrap();
    assert_eq!(moved.status(), 308);
    assert_eq!(moved.headers()["location"], visitors.at(later, "/a?b").as_str());
}
