//! Several servers on one `PostgreSQL`. Empty without `WPAAS_TEST_POSTGRES`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use reqwest::Method;
use serde_json::{Value, json};
use wpaas_core::claim::{Claim, Member};
use wpaas_core::store::{Claims as _, SqlStore, scratch};
use wpaas_server::config::Flags;

use super::failing::register;
use super::harness::{Answer, Api, PASSWORD, send, site};
use super::webhooks::{Receiver, last, numbers};

/// On this database.
pub fn on(url: &str) -> Flags {
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
    let made = post_blog(&first, &tenant.key).await.is(202);
    let again = post_blog(&second, &tenant.key).await.is(202);
    assert_eq!((made.body, again.header("idempotent-replayed")), (again.body.clone(), "true"));
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    for api in [&first, &second] {
        let ready = |site: &Value| {
            let conditions = site["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        };
        api.until(&path, &tenant.key, ready).await;
    }
}

/// Sends the same request with the same key.
async fn post_blog(api: &Api, key: &str) -> Answer {
    let request = api.request(Method::POST, "/wpaas").bearer_auth(key);
    send(request.header("idempotency-key", "k1").json(&site("blog"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_at_two_servers_at_once_makes_one_site() {
    let Some((first, second)) = two().await else { return };
    let tenant = first.tenant("acme").await;
    let asked = (0..24).map(|number| post_blog(if number % 2 == 0 { &first } else { &second }, &tenant.key));
    let mut made = BTreeSet::new();
    for answer in futures::future::join_all(asked).await {
        if answer.status == 202 {
            made.insert(answer.body["id"].as_str().unwrap().to_owned());
        } else {
            answer.is_problem(409, "idempotency_key_in_use");
        }
    }
    for api in [&first, &second] {
        let again = post_blog(api, &tenant.key).await.is(202);
        assert_eq!(again.header("idempotent-replayed"), "true");
        made.insert(again.body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(made.len(), 1);
    let created = first.get("/events?kind=site_created", &first.operator).await.is(200).body;
    assert_eq!(created["items"].as_array().map(Vec::len), Some(1));
}

/// A stream of events that is read.
pub struct Stream {
    pieces: BoxStream<'static, reqwest::Result<Bytes>>,
    text: String,
}

impl Stream {
    /// Of those that the query finds, after this one.
    pub async fn after(api: &Api, query: &str, last: u64) -> Self {
        let request = api.request(Method::GET, &format!("/events?{query}")).bearer_auth(&api.operator);
        let request = request.header("accept", "text/event-stream").header("last-event-id", last);
        let pieces = request.send().await.unwrap().bytes_stream().boxed();
        Self { pieces, text: String::new() }
    }

    /// The number of the next event.
    pub async fn next(&mut self) -> u64 {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let id = event.lines().find_map(|line| line.strip_prefix("id:")?.trim().parse().ok());
                let told = self.text.len() - rest.len();
                self.text.drain(..told);
                let Some(id) = id else { continue };
                return id;
            }
            let piece = tokio::time::timeout(Duration::from_secs(60), self.pieces.next()).await;
            self.text.push_str(std::str::from_utf8(&piece.unwrap().unwrap().unwrap()).unwrap());
        }
    }
}

/// Reads the events of the customer after those that were seen, until so many were.
async fn follow(api: &Api, cid: &str, seen: &mut Vec<u64>, many: usize) {
    let mut stream = Stream::after(api, &format!("cid={cid}"), seen.last().copied().unwrap_or(0)).await;
    while seen.len() < many {
        seen.push(stream.next().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_at_another_server() {
    let Some((first, second)) = two().await else { return };
    let cid = first.customer("acme").await;
    let org = async |api: &Api, name: &str| {
        api.post("/orgs", &api.operator, json!({"cid": cid, "name": name})).await.is(201);
    };
    let mut seen = Vec::new();
    org(&second, "one").await;
    org(&first, "two").await;
    follow(&first, &cid, &mut seen, 3).await;
    org(&second, "three").await;
    first.server.stop().await;
    org(&second, "four").await;
    follow(&second, &cid, &mut seen, 5).await;
    let listed = second.get(&format!("/events?cid={cid}"), &second.operator).await.is(200).body;
    let numbers = listed["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap());
    assert_eq!(seen, numbers.collect::<Vec<_>>(), "each once and in order, whichever server did it");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_told_of_everything_in_order_whichever_server_does_it() {
    let Some(url) = scratch::url().await else { return };
    let mut receiver = Receiver::start().await;
    let flags = |url: &str| Flags { database_url: Some(url.to_owned()), ..receiver.flags() };
    let first = Api::with(flags(&url)).await;
    let second = first.beside(flags(&url)).await;
    let new = json!({ "url": receiver.address });
    first.post("/webhooks", &first.operator, new).await.is(201);
    // What tells that it was made is not for it.
    let made = last(&first).await;
    for number in 0..20 {
        let api = if number % 2 == 0 { &first } else { &second };
        register(api, &format!("some{number}")).await.is(201);
    }
    first.server.stop().await;
    for number in 0..5 {
        register(&second, &format!("more{number}")).await.is(201);
    }
    let numbers = numbers(&second).await;
    let mut told = Vec::new();
    // What a server told that could not say so any more is told again by the next.
    for message in receiver.until(*numbers.last().unwrap()).await {
        if !told.contains(&message.seq()) {
            told.push(message.seq());
        }
    }
    assert_eq!(told, numbers.into_iter().filter(|number| *number > made).collect::<Vec<_>>());
}

/// Whose each share is, once each of two servers has its half: so each knows of the other.
async fn halves(store: &SqlStore) -> Vec<Claim> {
    let began = Instant::now();
    loop {
        let claims = store.board().await.unwrap().claims;
        let mut tended = BTreeMap::<_, usize>::new();
        for claim in &claims {
            *tended.entry(&claim.server).or_default() += 1;
        }
        if tended.len() == 2 && tended.into_values().all(|shares| shares == 32) {
            return claims;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the servers don't know of each other");
    }
}

/// Waits until each server has said once more that it lives, and has taken what it found to be left.
async fn next_beats(store: &SqlStore) {
    let began = Instant::now();
    for _ in 0..2 {
        let since = store.board().await.unwrap().members;
        loop {
            let now = store.board().await.unwrap().members;
            let has_beaten =
                |was: &Member| now.iter().any(|it| it.server == was.server && it.until > was.until);
            if since.iter().all(has_beaten) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "not all of {since:?} live");
        }
    }
}

#[tokio::test]
async fn what_one_may_ask_is_one_measure_for_all_servers() {
    let Some(url) = scratch::url().await else { return };
    let flags = || Flags {
        limits_attempts_per_minute: Some(8),
        limits_trusted_proxies: Some(vec!["127.0.0.1".parse().unwrap()]),
        ..on(&url)
    };
    let first = Api::with(flags()).await;
    let second = first.beside(flags()).await;
    let store = SqlStore::connect(&url.parse().unwrap()).await.unwrap();
    for address in 1..=20 {
        let before = halves(&store).await;
        let began = Instant::now();
        let asked = (0..40).map(|n| if n % 2 == 0 { &first } else { &second }).map(|api| {
            let request = api.request(Method::GET, "/customers").bearer_auth("wrong");
            send(request.header("x-forwarded-for", format!("192.0.2.{address}")))
        });
        let answers = futures::future::join_all(asked).await;
        let took = began.elapsed();
        next_beats(&store).await;
        // A machine that has too much to do has one taken for dead, and the other gives all there is.
        if halves(&store).await != before {
            continue;
        }
        let given = answers.iter().filter(|answer| answer.status == 401).count();
        // Each of the eight comes back in a minute.
        let more = usize::try_from(took.as_secs() * 8 / 60).unwrap();
        assert!((1..=8 + more).contains(&given), "{given} attempts were let through");
        assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status)));
        return;
    }
    panic!("the servers keep taking each other for dead");
}

#[tokio::test]
async fn wrong_passwords_are_counted_over_all_servers() {
    let Some((first, second)) = two().await else { return };
    first.customer("acme").await;
    let sign_in = async |api: &Api, password: &str| {
        api.post("/sessions", "", json!({"username": "acme@example.com", "password": password})).await
    };
    for number in 0..10 {
        let api = if number % 2 == 0 { &first } else { &second };
        sign_in(api, "wrong horse").await.is_problem(401, "unauthenticated");
    }
    for api in [&first, &second] {
        let locked = sign_in(api, PASSWORD).await;
        locked.is_problem(429, "locked_out");
        assert!(!locked.header("retry-after").is_empty());
    }
}
