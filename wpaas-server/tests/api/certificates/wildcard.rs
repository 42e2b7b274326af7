//! Wildcards, proved in the platform's own zone.

use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_server::config::Flags;

use crate::domains::Dns;
use crate::harness::{Api, site};
use crate::pebble::{Pebble, Temper, is_there};
use crate::ports::free_port;

#[tokio::test]
async fn sites_of_an_org_share_a_wildcard_that_the_zone_proves() {
    if !is_there() {
        return;
    }
    let dns_listen = std::net::SocketAddr::from(([127, 0, 0, 1], free_port()));
    let zone = TempDir::new().unwrap();
    let zone_file = zone.path().join("zone");
    let dns = Dns::of(zone, dns_listen, &zone_file);
    let pebble = Pebble::start(dns.at, free_port(), Temper::Even);
    let flags = Flags {
        domain: Some("wpaas.example".parse().unwrap()),
        dns_listen: Some(dns_listen),
        dns_zone: Some(zone_file),
        acme_directory: Some(pebble.directory()),
        acme_root: Some(pebble.root()),
        ..Flags::default()
    };
    let api = Api::with(flags).await;
    let tenant = api.tenant("acme").await;
    for name in ["blog", "shop"] {
        api.post("/wpaas", &tenant.key, site(name)).await.is(202);
    }
    let (mut shown, began) = (Value::Null, std::time::Instant::now());
    for name in ["blog", "shop"] {
        loop {
            let path = format!("/wpaas/{}/default/{name}", tenant.cid);
            shown = api.get(&path, &tenant.key).await.is(200).body;
            let condition = shown["status"]["conditions"].as_array().into_iter().flatten();
            let ready =
                condition.clone().any(|it| it["type"] == "CertificateReady" && it["status"] == "True");
            if ready {
                break;
            }
            assert!(began.elapsed().as_secs() < 240, "still {}", shown["status"]);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
    // A route is below its site, which a wildcard of the org's names does not cover.
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.put(&path, &tenant.key, json!({"routes": {"next": {}}})).await.is(202);
    let below = format!("*.blog.{}.www.wpaas.example", tenant.cid);
    let of_route = async || {
        let shown = api.get(&path, &tenant.key).await.is(200).body["status"]["certificates"].take();
        shown.as_array().unwrap().iter().find(|it| it["name"] == below.as_str()).cloned().unwrap()
    };
    while of_route().await["state"] != "issued" {
        assert!(began.elapsed().as_secs() < 240, "still {}", of_route().await);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(of_route().await["challenge"], "dns-01");
    let certificate = &shown["status"]["certificates"][0];
    assert_eq!(
        (&certificate["name"], &certificate["challenge"], &certificate["state"], &certificate["error"]),
        (
            &json!(format!("*.{}.www.wpaas.example", tenant.cid)),
            &json!("dns-01"),
            &json!("issued"),
            &Value::Null
        )
    );
    assert!(!shown.to_string().contains("PRIVATE KEY"));
}
