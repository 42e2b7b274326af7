//! What belongs to no one site: the edge, by which a browser of this machine opens a site by its name, and the DNS
//! server, which answers for the names while servers come and go.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::json;

use super::names::ECHO;
use super::server::Server;
use super::wordpress::{GIF, Wordpress};
use super::{docker, engine_alone};
use crate::ports::free_port;

/// What a resolver of this name gets; `dig` is there where all tests are to run.
fn dig(port: u16, name: &str) -> String {
    let output = Command::new("dig")
        .args(["@127.0.0.1", "-p", &port.to_string(), "+short", "+time=1", "+tries=1", name, "A"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A browser: it knows that names below `localhost` are this machine.
fn browser(hosts: &[&str]) -> Client {
    let mut builder = Client::builder().redirect(Policy::none());
    for host in hosts {
        builder = builder.resolve(host, SocketAddr::from(([127, 0, 0, 1], 0)));
    }
    builder.build().unwrap()
}

fn condition(site: &serde_json::Value, kind: &str) -> (String, String) {
    let conditions = site["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|c| c["type"] == kind).unwrap();
    (found["status"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a story: each step stands on those before it")]
async fn shared_sites_open_by_their_names_at_one_port_and_dns_outlives_the_server() {
    let Some(_alone) = engine_alone().await else { return };
    let (edge_port, dns_port) = (free_port(), free_port());
    let more =
        format!("[edge]\nlisten = \"127.0.0.1:{edge_port}\"\n[dns]\nlisten = \"127.0.0.1:{dns_port}\"\n");
    let mut server = Server::start_as(None, &more).await;
    server.ready().await;
    let tenant = server.tenant("edge").await;
    let code = server.repository("echo", &[("mu-plugins/echo.php", ECHO)]);
    let body = json!({
        "name": "blog", "admin_password": "swordfish-1", "address": "shared", "code": {"git": code, "ref": "main"},
        "domains": ["example.com"],
    });
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    let host = format!("blog.{}.www.wpaas.localhost", tenant.cid);
    assert_eq!(url, format!("http://{host}:{edge_port}/"));
    let unknown = format!("nobody.{}.www.wpaas.localhost", tenant.cid);
    let browser = browser(&[&host, &unknown, "example.com"]);
    let opens = async |url: &str| {
        let response = browser.get(url).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    };
    server
        .until("the site opens at the edge", Duration::from_secs(60), async || {
            opens(&url).await.filter(|(status, _)| *status == 200)
        })
        .await;

    let editor = Wordpress::at_edge(&url, &host);
    assert!(editor.login("admin", "swordfish-1").await);
    let picture = editor.upload("dot.gif", GIF).await;

    // The first hop alone is believed, and it is the edge: WordPress learns who really asked.
    let request = browser.get(format!("{url}t/echo?all")).header("X-Forwarded-For", "203.0.113.7");
    let echo = request.header("X-Forwarded-Host", "evil.example").send().await.unwrap().text().await.unwrap();
    let said: serde_json::Value = serde_json::from_str(&echo).unwrap();
    assert_eq!(said["server"]["HTTP_X_FORWARDED_FOR"], "127.0.0.1", "{echo}");
    assert_eq!(said["server"]["REMOTE_ADDR"], "127.0.0.1");
    assert_eq!(said["home"], url, "home is the request's authority, with its port");
    assert!(!echo.contains("evil.example"));

    let (status, page) = opens(&format!("http://{unknown}:{edge_port}/")).await.unwrap();
    assert_eq!(status, 421);
    assert!(page.contains("No site of that name is here"), "a page for people: {page}");

    let edge = docker(&["ps", "--quiet", "--filter", &format!("name=wpaas-{}-edge", server.installation)]);
    let own = json!({"name": "own", "admin_password": "swordfish-1"});
    let other = server.post_site(&tenant, own).await;
    server.settled(&other).await;
    // A change of the edge's map drops no connection: this answer is under way before the change, and ends once that is
    // in force.
    let long = browser.get(format!("{url}t/long?least=0")).send().await.unwrap();
    assert_eq!(long.status(), 200);
    let change = json!({"address": "shared"});
    server.done(Method::PUT, &other.path, &tenant.key, Some(change)).await;
    let other_url = server.settled(&other).await;
    let other_host = other_url.trim_start_matches("http://").split(':').next().unwrap().to_owned();
    let visitor = self::browser(&[&other_host]);
    server
        .until("the second site opens at the edge", Duration::from_secs(30), async || {
            let response = visitor.get(&other_url).send().await.ok()?;
            (response.status() == 200).then_some(())
        })
        .await;
    let end = "/srv/wordpress/wp-content/uploads/long-GET-end";
    docker(&["exec", &Server::container(&site, "wordpress-0"), "touch", end]);
    assert!(long.text().await.unwrap().ends_with("and whole"));
    let now = docker(&["ps", "--quiet", "--filter", &format!("name=wpaas-{}-edge", server.installation)]);
    assert_eq!(now, edge, "the edge was not made anew");

    // DNS: both names lead to the edge; one that is its own again, to its address.
    server
        .until("DNS is ready", Duration::from_secs(60), async || {
            (condition(&server.site(&site).await, "DnsReady").0 == "True").then_some(())
        })
        .await;
    assert_eq!(dig(dns_port, &host), "127.0.0.1");
    assert_eq!(dig(dns_port, &unknown), "");
    // A route of a site, and a site of another org of the customer.
    let route = format!("beta.{host}");
    let org = json!({"cid": tenant.cid, "name": "second"});
    server.done(Method::POST, "/orgs", &server.operator, Some(org)).await;
    let shop =
        json!({"name": "shop", "admin_password": "swordfish-1", "address": "shared", "num_instances": 0});
    let second = format!("/wpaas/{}/default?org=second", tenant.cid);
    server.done(Method::POST, &second, &server.operator, Some(shop)).await;
    let shop = format!("shop.second-{}.www.wpaas.localhost", tenant.cid);
    for name in [&route, &shop] {
        assert_eq!(dig(dns_port, name), "", "not yet");
    }
    let change = json!({"routes": {"beta": {}}});
    server.done(Method::PUT, &site.path, &tenant.key, Some(change)).await;
    server
        .until("both names are answered", Duration::from_secs(60), async || {
            [&route, &shop].iter().all(|name| dig(dns_port, name) == "127.0.0.1").then_some(())
        })
        .await;
    let change = json!({"address": "own"});
    server.done(Method::PUT, &other.path, &tenant.key, Some(change)).await;
    let own_url = server.settled(&other).await;
    let address = own_url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    server
        .until("the name leads to the site's address", Duration::from_secs(30), async || {
            (dig(dns_port, &other_host) == address).then_some(())
        })
        .await;

    // Names and sites outlive the server; what is removed by hand while it runs comes back.
    server.kill();
    assert_eq!(dig(dns_port, &host), "127.0.0.1");
    assert_eq!(opens(&url).await.unwrap().0, 200);
    server.run().await;
    for part in ["dns", "edge"] {
        docker(&["rm", "--force", &format!("wpaas-{}-{part}", server.installation)]);
    }
    server
        .until("DNS and the edge are back", Duration::from_secs(60), async || {
            let (status, _) = opens(&url).await?;
            (status == 200 && dig(dns_port, &host) == "127.0.0.1").then_some(())
        })
        .await;

    assert_eq!(editor.bytes(&picture).await, GIF);

    // What is gone has no name.
    server.done(Method::DELETE, &format!("{}?grace=0", site.path), &tenant.key, None).await;
    server
        .until("its name is gone", Duration::from_secs(60), async || {
            // With the last site that shares it, the edge goes too.
            let gone = opens(&url).await.is_none_or(|(status, _)| status == 421);
            (gone && dig(dns_port, &host).is_empty()).then_some(())
        })
        .await;
}
