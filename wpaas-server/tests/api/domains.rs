//! Domains, proved in a real DNS: a server of names in a process of its own, whose zone the test writes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_server::config::Flags;

use super::harness::{Api, Tenant, site};
use super::ports::free_port;

/// A DNS server for one zone: example.com, or what is in a file.
pub struct Dns {
    child: Child,
    pub at: SocketAddr,
    folder: TempDir,
}

impl Dns {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let zone = folder.path().join("zone");
        let dns = Self::of(folder, at, &zone);
        dns.says("");
        dns
    }

    /// For the zone of this file.
    pub fn of(folder: TempDir, at: SocketAddr, zone: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_wpaas-server"))
            .args(["dns", "--dns-listen", &at.to_string(), "--dns-zone"])
            .arg(zone)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut dns = Self { child, at, folder };
        while std::net::TcpStream::connect(at).is_err() {
            assert_eq!(dns.child.try_wait().unwrap(), None, "the DNS server ended");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        dns
    }

    pub fn says(&self, records: &str) {
        let zone = format!(
            "$ORIGIN example.com.\n$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 604800 5\n@ IN NS ns\n\
             ns IN A 127.0.0.1\n{records}\n; end\n"
        );
        let (new, zone_file): (PathBuf, PathBuf) =
            (self.folder.path().join("new"), self.folder.path().join("zone"));
        std::fs::write(&new, zone).unwrap();
        std::fs::rename(new, zone_file).unwrap();
    }

    async fn api(&self) -> Api {
        Api::with(Flags { domains_resolvers: Some(vec![self.at]), ..Flags::default() }).await
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A customer with a site that asks for the domain.
async fn asking(api: &Api, name: &str) -> (Tenant, String) {
    let tenant = api.tenant(name).await;
    let path = ask(api, &tenant).await;
    (tenant, path)
}

async fn ask(api: &Api, tenant: &Tenant) -> String {
    let mut body = site("blog");
    body["domains"] = json!(["www.example.com"]);
    body["primary_domain"] = json!("www.example.com");
    api.post("/wpaas", &tenant.key, body).await.is(202);
    format!("/wpaas/{}/default/blog", tenant.cid)
}

/// Has DNS looked at until it is found like that: what is written to the zone is served a moment later.
async fn checked(api: &Api, (tenant, path): &(Tenant, String), state: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let found = api.post(&format!("{path}/domains/check"), &tenant.key, json!({})).await.is(200).body;
        let domain = found["items"][0].clone();
        let seen = domain["found"].as_str().unwrap();
        if domain["state"] == state && !seen.contains("no answer") {
            return domain;
        }
        assert!(began.elapsed().as_secs() < 30, "still {domain}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The text that proves the claim.
fn token(domain: &Value) -> &str {
    let record = &domain["records"][0];
    assert_eq!((&record["type"], &record["name"]), (&json!("TXT"), &json!("_wpaas.www.example.com")));
    record["value"].as_str().unwrap()
}

#[tokio::test]
async fn a_site_has_a_domain_once_dns_says_so() {
    let dns = Dns::start();
    let api = dns.api().await;
    let blog = asking(&api, "acme").await;
    let (tenant, path) = &blog;
    let pending = checked(&api, &blog, "pending").await;
    assert_eq!(
        pending["found"], "_wpaas.www.example.com has no TXT record; www.example.com leads nowhere",
        "{pending}"
    );
    let platform = format!("blog.{}.www.wpaas.localhost", tenant.cid);
    assert_eq!(
        (&pending["records"][1]["type"], &pending["records"][1]["value"]),
        (&json!("CNAME"), &json!(platform))
    );
    let site = api.get(path, &tenant.key).await.is(200).body;
    assert_eq!(
        (&site["names"]["domains"], &site["spec"]["domains"]),
        (&json!([]), &json!(["www.example.com"]))
    );
    assert_eq!(site["status"]["domains"][0]["state"], "pending");
    let site = api.until(path, &tenant.key, |site| site["status"]["phase"] == "ready").await;
    let shown = &site["status"]["domains"][0];
    assert_eq!(shown["state"], "pending", "a site waits for no domain");
    let both = "leads visitors to this site, and proves the domain";
    let records = json!([
        {
            "type": "TXT", "name": "_wpaas.www.example.com", "value": format!("wpaas-site={}", site["id"].as_str().unwrap()),
            "purpose": "proves that the domain is this site's",
        },
        {"type": "CNAME", "name": "www.example.com", "value": platform, "purpose": both},
        {"type": "A", "name": "www.example.com", "value": site["status"]["address"]["ip"], "purpose": both},
    ]);
    assert_eq!(shown["records"], records);

    dns.says(&format!("_wpaas.www IN TXT \"{}\"\nwww IN A 192.0.2.1", token(&pending)));
    let verified = checked(&api, &blog, "verified").await;
    assert_eq!(verified["proof"], "record");
    assert!(
        verified["found"].as_str().unwrap().contains("leads to 192.0.2.1, which is not this site"),
        "{verified}"
    );
    let home = |site: &Value| site["status"]["url"] == "http://www.example.com/";
    let site = api.until(path, &tenant.key, home).await;
    assert_eq!(site["names"]["domains"], json!(["www.example.com"]));

    dns.says(&format!("_wpaas.www IN TXT \"{}\"\nwww IN CNAME {platform}.", token(&pending)));
    checked(&api, &blog, "active").await;
    let events = api
        .get(&format!("/events?cid={}&kind=site_domain_changed", tenant.cid), &api.operator)
        .await
        .is(200)
        .body;
    let states: Vec<&Value> =
        events["items"].as_array().unwrap().iter().map(|it| &it["detail"]["state"]).collect();
    assert_eq!(states, ["verified", "active"]);
}

#[tokio::test]
async fn nobody_takes_a_domain_from_whom_dns_names() {
    let dns = Dns::start();
    let api = dns.api().await;
    let (first, second) = (asking(&api, "first").await, asking(&api, "second").await);
    let [of_first, of_second] =
        [checked(&api, &first, "pending").await, checked(&api, &second, "pending").await];
    assert_ne!(token(&of_first), token(&of_second));
    let both =
        format!("_wpaas.www IN TXT \"{}\"\n_wpaas.www IN TXT \"{}\"", token(&of_first), token(&of_second));
    dns.says(&format!("_wpaas.www IN TXT \"{}\"", token(&of_first)));
    checked(&api, &first, "verified").await;
    dns.says(&both);
    let refused = checked(&api, &second, "failed").await;
    assert!(refused["found"].as_str().unwrap().starts_with("another site has this domain"), "{refused}");
    checked(&api, &first, "verified").await;
    let ready = |site: &Value| {
        site["status"]["phase"] == "ready" && site["status"]["domains"][0]["state"] == "failed"
    };
    api.until(&second.1, &second.0.key, ready).await;

    dns.says(&format!("_wpaas.www IN TXT \"{}\"", token(&of_second)));
    checked(&api, &second, "verified").await;
    checked(&api, &first, "failed").await;
    let site = api.get(&first.1, &first.0.key).await.is(200).body;
    assert_eq!(site["names"]["domains"], json!([]));
}

#[tokio::test]
async fn the_worker_looks_by_itself() {
    let dns = Dns::start();
    let api = dns.api().await;
    let tenant = api.tenant("acme").await;
    dns.says(&format!("www IN CNAME blog.{}.www.wpaas.localhost.", tenant.cid));
    let path = ask(&api, &tenant).await;
    let active = |site: &Value| site["status"]["domains"][0]["state"] == "active";
    let site = api.until(&path, &tenant.key, active).await;
    assert_eq!(site["status"]["domains"][0]["proof"], "alias");
}

#[tokio::test]
async fn where_no_proof_is_asked_for_the_first_has_it() {
    let api = Api::with(Flags { domains_verify: Some(false), ..Flags::default() }).await;
    let first = asking(&api, "first").await;
    checked(&api, &first, "active").await;
    let second = asking(&api, "second").await;
    checked(&api, &second, "failed").await;
    checked(&api, &first, "active").await;
}

/// Where the site is reached, once it is.
async fn address(api: &Api, (tenant, path): &(Tenant, String)) -> String {
    let site = api.until(path, &tenant.key, |site| site["status"]["address"]["ip"].is_string()).await;
    site["status"]["address"]["ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_address_proves_a_domain_and_takes_it_from_no_other_customer() {
    let dns = Dns::start();
    let api = dns.api().await;
    let first = asking(&api, "first").await;
    dns.says(&format!("www IN A {}", address(&api, &first).await));
    assert_eq!(checked(&api, &first, "active").await["proof"], "address");
    api.delete(&format!("{}?grace=0", first.1), &first.0.key).await.is(202);
    let began = std::time::Instant::now();
    while api.get(&first.1, &first.0.key).await.status != 404 {
        assert!(began.elapsed().as_secs() < 30, "it is not gone");
    }

    // As if it had the address now.
    let second = asking(&api, "second").await;
    dns.says(&format!("www IN A {}", address(&api, &second).await));
    let began = std::time::Instant::now();
    let doubted = loop {
        let found = checked(&api, &second, "pending").await;
        if found["found"].as_str().unwrap().contains("addresses are given out again") {
            break found;
        }
        assert!(began.elapsed().as_secs() < 30, "still {found}");
    };
    assert_eq!(doubted["proof"], Value::Null);
    dns.says(&format!(
        "_wpaas.www IN TXT \"{}\"\nwww IN A {}",
        token(&doubted),
        address(&api, &second).await
    ));
    assert_eq!(checked(&api, &second, "active").await["proof"], "record");
}
