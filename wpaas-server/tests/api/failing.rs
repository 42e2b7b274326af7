//! A `PostgreSQL` that fails. Empty without `WPAAS_TEST_POSTGRES`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wpaas_core::id::SiteId;
use wpaas_core::store::scratch;
use wpaas_server::config::Flags;

use self::postgres::{Own, Pair};
use super::harness::{Answer, Api, PASSWORD, Runs, Tenant, site};
use super::several::{Stream, on};
use super::webhooks::{Receiver, last};

mod postgres;

/// Registers a customer of this name.
pub async fn register(api: &Api, name: &str) -> Answer {
    let body = json!({"name": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    api.post("/customers", &api.operator, body).await
}

/// Tries until it is answered like this; all that comes before must be a 503 that says when to come again.
async fn until_answered(api: &Api, name: &str, status: u16) -> Answer {
    let began = Instant::now();
    loop {
        let answer = register(api, name).await;
        if answer.status == status {
            return answer;
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(!answer.header("retry-after").is_empty());
        assert!(began.elapsed() < Duration::from_secs(60), "still {}", answer.body);
    }
}

/// The path of a site that is up, and its customer.
async fn up(api: &Api) -> (Tenant, String) {
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    is_up(api, &path, &tenant).await;
    (tenant, path)
}

async fn is_up(api: &Api, path: &str, tenant: &Tenant) {
    api.until(path, &tenant.key, |site| site["status"]["phase"] == "ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_and_comes_is_survived() {
    let Some((own, server)) = Own::new() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
    let (tenant, path) = up(&api).await;
    let runs = api.runs();

    own.run("stop", &[]);
    let refused = register(&api, "away").await.is(503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(!api.get(&path, &tenant.key).await.is(503).header("retry-after").is_empty());
    api.get("/readyz", "").await.is(503);
    api.get("/healthz", "").await.is(200);
    own.run("start", &[]);
    until_answered(&api, "back", 201).await;
    is_up(&api, &path, &tenant).await;
    assert_eq!(api.runs(), runs, "nothing of the site was touched");

    own.run("kill", &[]);
    own.run("start", &[]);
    until_answered(&api, "again", 201).await;
    is_up(&api, &path, &tenant).await;
    assert_eq!(api.runs(), runs);

    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'test%'";
    for number in 0..5 {
        own.run("sql", &[cut]);
        until_answered(&api, &format!("cut-{number}"), 201).await;
    }
    is_up(&api, &path, &tenant).await;
    assert_eq!(api.runs(), runs);

    // As a full disk or a standby does: everything can be read and nothing written.
    own.run("sql", &["ALTER SYSTEM SET default_transaction_read_only = on"]);
    own.run("sql", &["SELECT pg_reload_conf()"]);
    until_answered(&api, "read-only", 503).await;
    is_up(&api, &path, &tenant).await;
    own.run("sql", &["ALTER SYSTEM RESET default_transaction_read_only"]);
    own.run("sql", &["SELECT pg_reload_conf()"]);
    until_answered(&api, "writable", 201).await;
    is_up(&api, &path, &tenant).await;
    assert_eq!(api.runs(), runs);
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_gone_on_with() {
    let Some((own, server)) = Own::new() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
    let (tenant, path) = up(&api).await;
    let runs = api.runs();
    let kept = register(&api, "kept").await.is(201).body["cid"].clone();
    own.run("stop", &[]);
    own.copy("data", "older");
    own.run("start", &[]);
    let lost = until_answered(&api, "lost", 201).await.body["cid"].clone();
    own.run("stop", &[]);
    own.copy("older", "data");
    own.run("start", &[]);
    until_answered(&api, "new", 201).await;
    let customers = api.get("/customers", &api.operator).await.is(200).body["items"].clone();
    let cids: Vec<_> = customers.as_array().unwrap().iter().map(|customer| customer["cid"].clone()).collect();
    assert!(cids.contains(&kept) && !cids.contains(&lost), "{cids:?}");
    is_up(&api, &path, &tenant).await;
    assert_eq!(api.runs(), runs);
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_after_events_were_lost_is_told_to_whoever_was_told_of_those() {
    let Some((own, server)) = Own::new() else { return };
    let mut receiver = Receiver::start().await;
    let flags = Flags { database_url: Some(scratch::beside(&server).await), ..receiver.flags() };
    let api = Api::with(flags).await;
    let registered = "customer_registered";
    let new = json!({ "url": receiver.address, "kinds": [registered] });
    api.post("/webhooks", &api.operator, new).await.is(201);
    let query = format!("kind={registered}");
    let mut stream = Stream::after(&api, &query, 0).await;
    own.run("stop", &[]);
    own.copy("data", "older");
    own.run("start", &[]);
    let mut lost = Vec::new();
    for number in 0..3 {
        until_answered(&api, &format!("lost{number}"), 201).await;
        let message = receiver.next().await;
        assert_eq!(stream.next().await, message.seq());
        lost.push((message.seq(), message.header("webhook-id").to_owned()));
    }
    own.run("stop", &[]);
    own.copy("older", "data");
    own.run("start", &[]);
    until_answered(&api, "new", 201).await;
    let new = last(&api).await;
    assert_eq!(stream.next().await, new, "the open stream goes on");
    let mut resumed = Stream::after(&api, &query, lost[2].0).await;
    assert_eq!(resumed.next().await, new, "so does one that comes again after the last that it saw");
    let message = receiver.next().await;
    let id = message.header("webhook-id");
    assert_eq!(message.seq(), new);
    assert!(lost.iter().all(|(_, before)| before != id), "a receiver would drop it as one that it has");
    api.server.stop().await;
}

/// A 503 that says when to come again, and not only once the request is given up.
async fn refuses(what: &str, answer: impl Future<Output = Answer>) {
    let began = Instant::now();
    let answer = answer.await.is(503);
    assert!(!answer.header("retry-after").is_empty() || answer.body["store"]["ready"] == false, "{what}");
    assert!(began.elapsed() < Duration::from_secs(25), "{what}: after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_a_503_until_it_answers() {
    let Some((line, url)) = scratch::url().await.and_then(|url| scratch::Line::to(&url)) else { return };
    let api = Api::with(on(&url)).await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    line.cut(true);
    for _ in 0..2 {
        futures::join!(
            refuses("a read", api.get(&path, &tenant.key)),
            refuses("a write", register(&api, "hung")),
            refuses("a change", api.put(&path, &tenant.key, json!({"num_instances": 2}))),
            refuses("readiness", api.get("/readyz", "")),
            async { drop(api.get("/healthz", "").await.is(200)) },
        );
    }
    line.cut(false);
    until_answered(&api, "back", 201).await;
    api.until(&path, &tenant.key, |site| site["status"]["phase"] == "ready").await;
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_503_until_there_is_room() {
    let Some((own, server)) = Own::on_small_disk() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
    let (tenant, site) = up(&api).await;
    let runs = api.runs();
    let mut kept = vec![register(&api, "before").await.is(201).body["cid"].clone()];
    own.fill();
    // What is in the log's current file has room; the next file has none.
    own.may_fail("sql", &["SELECT pg_switch_wal()"]);
    let refused = loop {
        let answer = register(&api, &format!("full{}", kept.len())).await;
        if answer.status != 201 {
            break answer;
        }
        kept.push(answer.body["cid"].clone());
        assert!(kept.len() < 5000, "the disk is full, and everything is still taken");
    };
    assert!(!refused.is(503).header("retry-after").is_empty());
    assert_eq!(api.runs(), runs, "nothing of the site was touched");
    own.make_room();
    // One that found no room while it recovered has ended, and is the operator's to start.
    if !own.may_fail("sql", &["SELECT 1"]).status.success() {
        own.may_fail("start", &[]);
    }
    kept.push(until_answered(&api, "after", 201).await.body["cid"].clone());
    let mut path = "/customers?limit=200".to_owned();
    let mut found = Vec::new();
    loop {
        let page = api.get(&path, &api.operator).await.is(200).body;
        found.extend(page["items"].as_array().unwrap().iter().map(|customer| customer["cid"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/customers?limit=200&cursor={next}");
    }
    for cid in kept {
        assert!(found.contains(&cid), "{cid} was acknowledged");
    }
    is_up(&api, &site, &tenant).await;
    assert_eq!(api.runs(), runs);
    api.server.stop().await;
}

fn behind(site: &Value) -> Option<&str> {
    let conditions = site["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "StoreBehind")?["status"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_lost_the_last_commits_takes_nothing_from_what_runs() {
    let Some((pair, server)) = Pair::start() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
    let tenant = api.tenant("acme").await;
    let path = |name: &str| format!("/wpaas/{}/default/{name}", tenant.cid);
    let (blog, key) = (path("blog"), tenant.key.as_str());
    api.post("/wpaas", key, site("blog")).await.is(202);
    api.until(&blog, key, |site| site["status"]["phase"] == "ready").await;
    pair.cut();
    let put = api.put(&blog, key, json!({"num_instances": 3})).await.is(202);
    api.until(&blog, key, |site| site["num_instances"] == 3).await;
    let lost = api.post("/wpaas", key, site("shop")).await.is(202).body["id"].clone();
    let lost: SiteId = serde_json::from_value(lost).unwrap();
    api.until(&path("shop"), key, |site| site["status"]["phase"] == "ready").await;
    let shop = format!("shop.{}", tenant.cid);
    api.until_named(&shop).await;
    let runs = api.runs();

    pair.fail_over();
    until_answered(&api, "after", 201).await;
    api.get(&path("shop"), key).await.is_problem(404, "not_found");
    let found = api.until(&blog, key, |site| behind(site) == Some("True")).await;
    assert!(found["generation"].as_u64() < put.body["generation"].as_u64(), "{found}");
    assert_eq!(
        (&found["expected_num_instances"], &found["num_instances"]),
        (&json!(1), &json!(3)),
        "{found}"
    );
    Api::until_left_alone(&lost.to_string()).await;
    assert_eq!(api.runs(), runs, "nothing was taken from either");

    // Somebody says what is wanted now.
    let said = api.put(&blog, key, json!({})).await.is(202);
    assert!(said.body["generation"].as_u64() > put.body["generation"].as_u64(), "{}", said.body);
    api.until(&blog, key, |site| behind(site) == Some("False") && site["num_instances"] == 1).await;
    let of_shop = |runs: Runs| runs.into_iter().filter(|(site, ..)| *site == lost).collect::<Vec<_>>();
    let left = of_shop(api.runs());
    assert!(left.len() > 3, "{left:?}");
    assert_eq!(left, of_shop(runs));
    assert!(api.has_name(&shop), "and its name still leads there");
    api.server.stop().await;
}
