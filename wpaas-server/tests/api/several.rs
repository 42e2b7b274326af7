//! Several servers on one `PostgreSQL`, and a `PostgreSQL` that fails. Empty without `WPAAS_TEST_POSTGRES`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use wpaas_core::store::scratch;
use wpaas_server::config::Flags;

use super::harness::{Answer, Api, PASSWORD, send, site};
use super::webhooks::{Receiver, last};

fn on(url: &str) -> Flags {
    Flags { database_url: Some(url.to_owned()), ..Flags::default() }
}

/// Two servers of one installation.
async fn two() -> Option<(Api, Api)> {
    let url = scratch::url().await?;
    let first = Api::with(on(&url)).await;
    let second = first.beside(on(&url)).await;
    Some((first, second))
}

#[tokio::test]
async fn what_one_server_did_the_other_knows() {
    let Some((first, second)) = two().await else { return };
    let tenant = first.tenant("acme").await;
    let request = first.request(Method::POST, "/wpaas").bearer_auth(&tenant.key);
    let made = send(request.header("idempotency-key", "k1").json(&site("blog"))).await.is(202);
    let again = second.request(Method::POST, "/wpaas").bearer_auth(&tenant.key);
    let again = send(again.header("idempotency-key", "k1").json(&site("blog"))).await.is(202);
    assert_eq!((made.body, again.header("idempotent-replayed")), (again.body.clone(), "true"));
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    for api in [&first, &second] {
        let ready = |site: &serde_json::Value| {
            let conditions = site["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        };
        api.until(&path, &tenant.key, ready).await;
    }
}

#[tokio::test]
async fn a_stream_goes_on_at_another_server() {
    let Some((first, second)) = two().await else { return };
    let cid = first.customer("acme").await;
    let request = second.request(Method::GET, &format!("/events?cid={cid}")).bearer_auth(&second.operator);
    let request = request.header("accept", "text/event-stream").header("last-event-id", "1");
    let mut stream = request.send().await.unwrap().bytes_stream();
    first.get(&format!("/orgs/{cid}/default"), &first.operator).await.is(200);
    let mut text = String::new();
    while !text.contains("\n\n") {
        let piece = tokio::time::timeout(Duration::from_secs(60), stream.next()).await;
        text.push_str(std::str::from_utf8(&piece.unwrap().unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("event: org_created") && text.contains("id: 2"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_told_of_everything_in_order_whichever_server_does_it() {
    let Some(url) = scratch::url().await else { return };
    let mut receiver = Receiver::start().await;
    let flags = |url: &str| Flags { database_url: Some(url.to_owned()), ..receiver.flags() };
    let first = Api::with(flags(&url)).await;
    let second = first.beside(flags(&url)).await;
    let new = json!({ "url": receiver.address });
    let webhook = first.post("/webhooks", &first.operator, new).await.is(201).body;
    let made = webhook["delivery"]["after"].as_u64().unwrap() + 1;
    for number in 0..20 {
        let api = if number % 2 == 0 { &first } else { &second };
        register(api, &format!("some{number}")).await.is(201);
    }
    first.server.stop().await;
    for number in 0..5 {
        register(&second, &format!("more{number}")).await.is(201);
    }
    let last = last(&second).await;
    let mut told = Vec::new();
    // What a server told that could not say so any more is told again by the next.
    for message in receiver.until(last).await {
        if !told.contains(&message.seq()) {
            told.push(message.seq());
        }
    }
    assert_eq!(told, (made + 1..=last).collect::<Vec<_>>());
}

/// A `PostgreSQL` that a test may stop.
struct Own {
    folder: PathBuf,
}

impl Own {
    fn new() -> Option<(Self, String)> {
        Self::at(|_| true)
    }

    /// One whose disk can be filled; `None` where this process may not mount one.
    fn on_small_disk() -> Option<(Self, String)> {
        Self::at(|folder| {
            std::fs::create_dir(folder).unwrap();
            let mount = ["-t", "tmpfs", "-o", "size=200m", "tmpfs"];
            let mounted = Command::new("mount").args(mount).arg(folder).output();
            let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
            if !mounted {
                println!("skipped: no file system can be mounted here");
                std::fs::remove_dir(folder).unwrap();
            }
            mounted
        })
    }

    /// In a folder of its own, once that is prepared.
    fn at(prepare: impl FnOnce(&Path) -> bool) -> Option<(Self, String)> {
        std::env::var("WPAAS_TEST_POSTGRES").ok()?;
        let folder = std::env::temp_dir().join(format!("wpaas-{}", uuid::Uuid::now_v7().simple()));
        if !prepare(&folder) {
            return None;
        }
        let own = Self { folder };
        let said = own.run("start", &[]);
        Some((own, said.trim().to_owned()))
    }

    /// Leaves no room on the disk.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.folder.join("filler")).unwrap();
        let full = std::io::copy(&mut std::io::repeat(1), &mut filler).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        std::fs::remove_file(self.folder.join("filler")).unwrap();
    }

    fn run(&self, what: &str, more: &[&str]) -> String {
        let output = self.may_fail(what, more);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn may_fail(&self, what: &str, more: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/postgres");
        let mut command = Command::new(script);
        command.arg(what).arg(&self.folder).args(more).env("WPAAS_POSTGRES_OPTIONS", "-c fsync=off");
        command.output().unwrap()
    }

    /// Copies the stopped database's files, or puts them back.
    fn copy(&self, from: &str, to: &str) {
        let to = self.folder.join(to);
        let _absent = std::fs::remove_dir_all(&to);
        let done = Command::new("cp").arg("-a").arg(self.folder.join(from)).arg(to).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run("stop", &[]);
        }
        let _none = Command::new("umount").arg("--lazy").arg(&self.folder).output();
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

async fn register(api: &Api, name: &str) -> Answer {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_and_comes_is_survived() {
    let Some((own, server)) = Own::new() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);

    own.run("stop", &[]);
    let refused = register(&api, "away").await.is(503);
    assert!(!refused.header("retry-after").is_empty());
    api.get(&path, &tenant.key).await.is(503);
    api.get("/readyz", "").await.is(503);
    api.get("/healthz", "").await.is(200);
    own.run("start", &[]);
    until_answered(&api, "back", 201).await;
    api.get(&path, &tenant.key).await.is(200);

    own.run("kill", &[]);
    own.run("start", &[]);
    until_answered(&api, "again", 201).await;

    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname LIKE 'test%'";
    for number in 0..5 {
        own.run("sql", &[cut]);
        until_answered(&api, &format!("cut-{number}"), 201).await;
    }

    // As a full disk or a standby does: everything can be read and nothing written.
    own.run("sql", &["ALTER SYSTEM SET default_transaction_read_only = on"]);
    own.run("sql", &["SELECT pg_reload_conf()"]);
    until_answered(&api, "read-only", 503).await;
    api.until(&path, &tenant.key, |site| site["name"] == "blog").await;
    own.run("sql", &["ALTER SYSTEM RESET default_transaction_read_only"]);
    own.run("sql", &["SELECT pg_reload_conf()"]);
    until_answered(&api, "writable", 201).await;
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_is_gone_on_with() {
    let Some((own, server)) = Own::new() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
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
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_503_until_there_is_room() {
    let Some((own, server)) = Own::on_small_disk() else { return };
    let api = Api::with(on(&scratch::beside(&server).await)).await;
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
    api.server.stop().await;
}
