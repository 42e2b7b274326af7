//! Servers that are killed under load, on one `PostgreSQL`: what was made and acknowledged is there, once, as it was
//! changed last, and what was deleted is in deletion. Empty without `WPAAS_TEST_POSTGRES`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use wpaas_core::store::scratch;

use super::harness::{share, site};
use super::ports::free_port;

const SERVERS: usize = 3;
const CLIENTS: usize = 4;
const SITES: usize = 20;

/// A server in a process of its own.
struct Process {
    child: Child,
    data: PathBuf,
    api: SocketAddr,
    reports: SocketAddr,
    database: String,
}

fn free() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}

impl Process {
    async fn start(data: PathBuf, database: &str) -> Self {
        let (api, reports) = (free(), free());
        let child = spawn(&data, api, reports, database);
        let process = Self { child, data, api, reports, database: database.to_owned() };
        process.answers().await;
        process
    }

    /// As SIGKILL does; then it is started again.
    async fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.data, self.api, self.reports, &self.database);
        self.answers().await;
    }

    async fn answers(&self) {
        let began = Instant::now();
        let url = format!("http://{}/readyz", self.api);
        while !Client::new().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(began.elapsed() < Duration::from_secs(60), "{url} does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn spawn(data: &std::path::Path, api: SocketAddr, reports: SocketAddr, database: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wpaas-server"))
        .args(["--backend", "simulated", "--database", database, "--log-filter", "warn"])
        .args(["--listen", &api.to_string(), "--report-listen", &reports.to_string()])
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a client knows of its request, at the end.
enum Outcome {
    /// Answered, be it by another server later: the site's id.
    Made(String),
    Unknown,
}

/// Asks one server after the other until one answers.
async fn post(client: &Client, servers: &[SocketAddr], key: &str, name: &str) -> Outcome {
    for attempt in 0..400 {
        let url = format!("http://{}/wpaas", servers[attempt % servers.len()]);
        let request = client.post(url).bearer_auth(key).header("idempotency-key", name).json(&site(name));
        let Ok(answer) = request.send().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let status = answer.status().as_u16();
        let Ok(body) = answer.json::<Value>().await else { continue };
        match (status, body["code"].as_str()) {
            (202, _) => return Outcome::Made(body["id"].as_str().unwrap().to_owned()),
            (503, _) => tokio::time::sleep(Duration::from_millis(50)).await,
            // It was done, but its answer went with the server that was killed.
            (409, Some("idempotency_answer_lost")) => {
                return Outcome::Made(body["subject"].as_str().unwrap().to_owned());
            }
            // The server that did it was killed before it could say so.
            (409, Some("idempotency_key_in_use" | "site_name_taken")) => return Outcome::Unknown,
            other => panic!("{name}: {other:?} {body}"),
        }
    }
    panic!("{name}: no server answered");
}

/// What a client was told of a site of its own.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    /// The label that it put last.
    label: u64,
    deleted: bool,
}

/// Asks one server after the other for the same until it is acknowledged.
async fn insist(client: &Client, servers: &[SocketAddr], key: &str, what: (Method, &str, Option<Value>)) {
    let (method, path, body) = what;
    for attempt in 0..400 {
        let url = format!("http://{}{path}", servers[attempt % servers.len()]);
        let request = client.request(method.clone(), url).bearer_auth(key);
        let request = if let Some(body) = &body { request.json(body) } else { request };
        match request.send().await.map(|answer| answer.status().as_u16()) {
            Ok(202) => return,
            Ok(503) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Ok(other) => panic!("{method} {path}: {other}"),
        }
    }
    panic!("{method} {path}: no server answered");
}

/// Labels the site with numbers that grow, and deletes every fourth.
async fn work_on(
    client: &Client,
    servers: &[SocketAddr],
    key: &str,
    (path, number): (&str, usize),
) -> (u64, bool) {
    let last = 3;
    for label in 1..=last {
        let body = json!({"labels": {"n": label.to_string()}});
        insist(client, servers, key, (Method::PUT, path, Some(body))).await;
    }
    let deletes = number.is_multiple_of(4);
    if deletes {
        insist(client, servers, key, (Method::DELETE, path, None)).await;
    }
    (last, deletes)
}

async fn call(client: &Client, at: SocketAddr, path: &str, key: &str, body: Option<Value>) -> Value {
    let url = format!("http://{at}{path}");
    let request = match body {
        Some(body) => client.post(url).json(&body),
        None => client.get(url),
    };
    let answer = request.bearer_auth(key).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// Every item of a list, piece by piece.
async fn all(client: &Client, at: SocketAddr, path: &str, cursor: &str, key: &str) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let page = call(client, at, &format!("{path}{next}"), key, None).await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(after) = page["next"].as_str() else { return items };
        next = format!("&{cursor}={after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_however_often_servers_are_killed() {
    let Some(database) = scratch::url().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = |number: usize| folder.path().join(format!("data-{number}"));
    let mut servers = vec![Process::start(data(0), &database).await];
    for number in 1..SERVERS {
        share(&data(0), &data(number));
        servers.push(Process::start(data(number), &database).await);
    }
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.api).collect();
    let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let operator = std::fs::read_to_string(data(0).join("operator-token")).unwrap();
    let operator = operator.trim();
    let first = addresses[0];
    let customer = json!({"name": "Acme", "email": "acme@example.com", "password": "correct horse battery"});
    let cid = call(&client, first, "/customers", operator, Some(customer)).await["cid"]
        .as_str()
        .unwrap()
        .to_owned();
    let org = call(&client, first, &format!("/orgs/{cid}/default"), operator, None).await["id"].clone();
    let space = format!("/spaces/{}/default", org.as_str().unwrap());
    let space = call(&client, first, &space, operator, None).await["id"].clone();
    let user = json!({"cid": cid, "name": "dev", "email": "dev@example.com", "spaces": [space]});
    let user = call(&client, first, "/users", operator, Some(user)).await;
    let key = user["api_key"]["key"].as_str().unwrap().to_owned();

    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let servers = Arc::new(Mutex::new(servers));
    let killer = {
        let (servers, done, answered) = (servers.clone(), done.clone(), answered.clone());
        tokio::spawn(async move {
            let (mut kills, mut before) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                // Some work between two of them, however fast this machine is.
                if answered.load(Ordering::Relaxed) >= before + CLIENTS {
                    before = answered.load(Ordering::Relaxed);
                    servers.lock().await[kills % SERVERS].kill().await;
                    kills += 1;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            kills
        })
    };
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (client, key, mut addresses) = (client.clone(), key.clone(), addresses.clone());
        let place = format!("/wpaas/{cid}/default");
        let answered = answered.clone();
        addresses.rotate_left(number % SERVERS);
        clients.spawn(async move {
            let mut acknowledged = Vec::new();
            for site in 0..SITES {
                let name = format!("site-{number}-{site}");
                match post(&client, &addresses, &key, &name).await {
                    Outcome::Made(id) => {
                        let path = format!("{place}/{name}");
                        let (label, deleted) = work_on(&client, &addresses, &key, (&path, site)).await;
                        acknowledged.push((name, Told { id, label, deleted }));
                    }
                    Outcome::Unknown => {}
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            acknowledged
        });
    }
    let acknowledged: BTreeMap<String, Told> = clients.join_all().await.into_iter().flatten().collect();
    done.store(true, Ordering::Relaxed);
    let kills = killer.await.unwrap();

    let listed = all(&client, first, &format!("/wpaas/{cid}/default?limit=100"), "cursor", &key).await;
    let sites: BTreeMap<&str, &Value> =
        listed.iter().map(|site| (site["name"].as_str().unwrap(), site)).collect();
    assert_eq!(sites.len(), listed.len(), "a name is a site's alone");
    for (name, told) in &acknowledged {
        let site = sites.get(name.as_str()).unwrap_or_else(|| panic!("{name} was acknowledged"));
        assert_eq!(site["id"], told.id.as_str(), "{name}");
        assert_eq!(site["spec"]["labels"]["n"], told.label.to_string(), "{name} was changed so last");
        let state = if told.deleted { "deleting" } else { "live" };
        assert_eq!(site["lifecycle"]["state"], state, "{name}");
    }
    assert!(acknowledged.values().any(|told| told.deleted));
    let events = all(&client, first, &format!("/events?cid={cid}&limit=100"), "after", operator).await;
    let created: Vec<&Value> = events.iter().filter(|event| event["kind"] == "site_created").collect();
    let subjects: BTreeSet<String> = created.iter().map(|event| event["subject"].to_string()).collect();
    assert_eq!((created.len(), subjects.len()), (sites.len(), sites.len()), "each was made once");
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    println!("{} of {} acknowledged, {kills} kills", acknowledged.len(), CLIENTS * SITES);
    // A kill takes along what is on its way; between two of them some is answered.
    assert!(kills >= SERVERS && acknowledged.len() >= SITES);
}
