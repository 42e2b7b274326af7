//! Visitors come and a site gets more nodes; they go, and the nodes go. Nobody of them sees an error.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::engine_alone;
use super::server::{Server, Site};

/// A page that takes its time, without a processor, and names the node that made it.
const SLOW: &str = "<?php add_action('init', function () {
  if (str_starts_with($_SERVER['REQUEST_URI'], '/t/slow')) { sleep(1); exit('made by ' . gethostname()); }
});";
/// Generous: what is waited for takes half a minute on two free cores.
const PATIENCE: Duration = Duration::from_secs(240);

/// People who ask for the next page as soon as they have one.
#[derive(Default)]
struct Visitors {
    tasks: JoinSet<()>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    nodes: Mutex<BTreeSet<String>>,
    failures: Mutex<Vec<String>>,
}

impl Visitors {
    /// So many more; the flag ends them, each after its page.
    fn come(&mut self, count: usize, url: &str) -> Arc<AtomicBool> {
        let gone = Arc::new(AtomicBool::new(false));
        for _ in 0..count {
            let (url, seen, gone) = (format!("{url}t/slow?fresh=1"), self.seen.clone(), gone.clone());
            self.tasks.spawn(async move {
                let client = Client::new();
                while !gone.load(Ordering::Relaxed) {
                    seen.take(ask(&client, &url).await);
                }
            });
        }
        gone
    }
}

impl Seen {
    fn take(&self, answer: Result<String, String>) {
        match answer {
            Ok(node) => drop(self.nodes.lock().unwrap().insert(node)),
            Err(failure) => self.failures.lock().unwrap().push(failure),
        }
    }

    fn nodes(&self) -> usize {
        self.nodes.lock().unwrap().len()
    }
}

/// The node that made the page, or what a visitor saw instead.
async fn ask(client: &Client, url: &str) -> Result<String, String> {
    let response = client.get(url).send().await.map_err(|error| format!("{error:?}"))?;
    let (status, text) = (response.status(), response.text().await.map_err(|error| format!("{error:?}"))?);
    match text.strip_prefix("made by ") {
        Some(node) if status == 200 => Ok(node.to_owned()),
        _ => Err(format!("{status}: {text}")),
    }
}

async fn has(server: &Server, site: &Site, nodes: u64) -> Option<Value> {
    let site = server.site(site).await;
    let parts = site["status"]["parts"].as_array().unwrap();
    let there = parts.iter().filter(|part| part["part"].as_str().unwrap().starts_with("wordpress-")).count();
    let is = site["actual"]["num_instances"] == nodes && there as u64 == nodes;
    (is && site["status"]["autoscale"]["wanted"] == nodes).then_some(site)
}

#[tokio::test]
async fn nodes_follow_the_visitors_and_none_of_them_sees_an_error() {
    let Some(_alone) = engine_alone().await else { return };
    let pace = "[dns]\nenabled = false\n[edge]\nenabled = false\n\
                [autoscale]\nup_after = \"5s\"\ndown_after = \"20s\"\n";
    let server = Server::start_as(None, pace).await;
    server.ready().await;
    let tenant = server.tenant("shop").await;
    let code = server.repository("slow", &[("mu-plugins/slow.php", SLOW)]);
    let body = json!({
        "name": "shop", "admin_password": "swordfish-1", "code": {"git": code, "ref": "main"},
        "features": {"autoscale": {"min": 1, "max": 3, "target": 4}},
    });
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    assert!(has(&server, &site, 1).await.is_some(), "{:#}", server.site(&site).await);

    let mut visitors = Visitors::default();
    let stay = visitors.come(2, &url);
    let go = visitors.come(10, &url);
    let three = server.until("three nodes", PATIENCE, async || has(&server, &site, 3).await).await;
    let measured = three["status"]["autoscale"]["measured"].as_f64().unwrap();
    assert!((4.0..=12.0).contains(&measured), "twelve ask, each for one page at a time: {three:#}");
    let seen = visitors.seen.clone();
    server.until("all three make pages", PATIENCE, async || (seen.nodes() >= 3).then_some(())).await;

    // Three nodes work on eighteen pages at a time: who waits for a turn at the gateway counts, too.
    let crowd = visitors.come(28, &url);
    server
        .until("all forty are counted", PATIENCE, async || {
            let site = server.site(&site).await;
            site["status"]["autoscale"]["measured"].as_f64().filter(|measured| *measured >= 30.0)
        })
        .await;
    crowd.store(true, Ordering::Relaxed);
    go.store(true, Ordering::Relaxed);
    server.until("one node again", PATIENCE, async || has(&server, &site, 1).await).await;
    stay.store(true, Ordering::Relaxed);
    while let Some(ended) = visitors.tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(*seen.failures.lock().unwrap(), [""; 0]);
}
