//! A wildcard certificate of the platform's names, proved in the hosted zone to an authority that we did not write.

use std::time::Duration;

use reqwest::Client;
use serde_json::json;

use crate::account::{Account, KEY};
use crate::challenge_dns::ChallengeDns;
use crate::pebble::{Pebble, Temper, is_there};
use crate::ports::free_port;
use crate::server::Server;

/// Name servers of the hosted zone: moto has none.
struct NameServers {
    dns: ChallengeDns,
    client: Client,
}

impl NameServers {
    fn start() -> Self {
        Self { dns: ChallengeDns::start(), client: Client::new() }
    }

    /// Has them answer with this name's texts as the hosted zone has them, for as long as it is polled.
    async fn follow(&self, aws: &Account, name: &str) {
        let mut known = Vec::new();
        loop {
            let texts = aws.texts(name).await;
            for text in texts.iter().filter(|text| !known.contains(*text)) {
                let body = json!({"host": format!("{name}."), "value": text}).to_string();
                let request = self.client.post(format!("http://{}/set-txt", self.dns.management)).body(body);
                request.send().await.unwrap().error_for_status().unwrap();
            }
            known = texts;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test]
async fn the_hosted_zone_proves_a_wildcard_certificate() {
    let Some(aws) = Account::prepared("eu-south-1").await else { return };
    if !is_there() {
        return;
    }
    let servers = NameServers::start();
    let pebble = Pebble::start(servers.dns.at, free_port(), Temper::Even);
    let acme = format!("[acme]\ndirectory = \"{}\"\nroot = {:?}\n", pebble.directory(), pebble.root());
    let config = aws.configuration() + &acme;
    let server = Server::start(&aws.prepared.domain, &config, &KEY).await;
    server.until("ready", async || server.ready().await?.ok()).await;
    let tenant = server.tenant("cloud").await;
    let path = server.post_site(&tenant, json!({"name": "blog", "admin_password": "swordfish-1"})).await;
    let below = format!("{}.www.{}", tenant.cid, aws.prepared.domain);
    let proof = format!("_acme-challenge.{below}");
    let issued = server.until("the certificate is there", async || {
        let certificate = server.site(&tenant, &path).await["status"]["certificates"][0].take();
        (certificate["state"] == "issued").then_some(certificate)
    });
    let certificate = tokio::select! {
        certificate = issued => certificate,
        () = servers.follow(&aws, &proof) => unreachable!("it follows for ever"),
        () = aws.live() => unreachable!("they live for ever"),
    };
    assert_eq!(
        (certificate["name"].as_str(), certificate["challenge"].as_str()),
        (Some(format!("*.{below}").as_str()), Some("dns-01"))
    );
    assert_eq!(aws.texts(&proof).await, Vec::<String>::new(), "what proved it is taken away");
}
