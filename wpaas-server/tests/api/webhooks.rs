//! `/webhooks`, with a receiver that checks signatures by a library that this project did not write.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::sync::mpsc;
use wpaas_server::config::Flags;

use super::harness::{Answer, Api};

/// A message that was posted.
pub struct Message {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn seq(&self) -> u64 {
        self.json()["data"]["seq"].as_u64().unwrap()
    }

    fn is_signed_by(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

/// Takes messages, and answers them as it is told to.
pub struct Receiver {
    pub address: String,
    messages: mpsc::UnboundedReceiver<Message>,
    answer: Arc<Mutex<u16>>,
}

#[derive(Clone)]
struct Taking {
    messages: mpsc::UnboundedSender<Message>,
    answer: Arc<Mutex<u16>>,
}

async fn take(State(taking): State<Taking>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let answer = StatusCode::from_u16(*taking.answer.lock().unwrap()).unwrap();
    let message = Message { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    taking.messages.send(message).unwrap();
    (answer, [(LOCATION, "/elsewhere")])
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, messages) = mpsc::unbounded_channel();
        let answer = Arc::new(Mutex::new(204));
        let router = Router::new().fallback(take);
        let router = router.with_state(Taking { messages: sender, answer: answer.clone() });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, messages, answer }
    }

    pub fn flags(&self) -> Flags {
        Flags { webhooks_allowed_prefixes: Some(vec![self.address.clone()]), ..Flags::default() }
    }

    fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = status;
    }

    pub async fn next(&mut self) -> Message {
        tokio::time::timeout(Duration::from_secs(60), self.messages.recv()).await.unwrap().unwrap()
    }

    /// All up to the one of this event.
    pub async fn until(&mut self, seq: u64) -> Vec<Message> {
        let mut all = Vec::new();
        while all.last().is_none_or(|last: &Message| last.seq() != seq) {
            all.push(self.next().await);
        }
        all
    }
}

async fn create(api: &Api, url: &str, kinds: &[&str]) -> Value {
    api.post("/webhooks", &api.operator, json!({"url": url, "kinds": kinds})).await.is(201).body
}

fn path(webhook: &Value) -> String {
    format!("/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// The numbers of all events.
pub async fn numbers(api: &Api) -> Vec<u64> {
    let events = api.get("/events?limit=500", &api.operator).await.is(200).body;
    events["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// The number of the last event.
pub async fn last(api: &Api) -> u64 {
    *numbers(api).await.last().unwrap()
}

#[tokio::test]
async fn events_are_told_in_order_and_signed() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let webhook = create(&api, &format!("{}hook", receiver.address), &[]).await;
    let secret = webhook["secret"].as_str().unwrap();
    let path = path(&webhook);
    let tenant = api.tenant("acme").await;
    let numbers = numbers(&api).await;
    let last = *numbers.last().unwrap();

    let messages = receiver.until(last).await;
    // The first of them would have told that the webhook was made.
    assert_eq!(messages.iter().map(Message::seq).collect::<Vec<_>>(), numbers[1..]);
    for message in &messages {
        assert!(message.is_signed_by(secret), "{:?}", message.headers);
        assert!(!message.is_signed_by("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
        let uuid = webhook["id"].as_str().unwrap().trim_start_matches("hook_");
        assert_eq!(message.header("webhook-id"), format!("msg_{uuid}_{}", message.seq()));
        assert_eq!((message.path.as_str(), message.header("content-type")), ("/hook", "application/json"));
    }
    let first = messages[0].json();
    assert_eq!((&first["type"], &first["data"]["cid"]), (&json!("customer_registered"), &json!(tenant.cid)));
    assert_eq!(first["timestamp"], first["data"]["at"]);
    let shown = api.until(&path, &api.operator, |shown| shown["delivery"]["after"] == last).await;
    let attempts = shown["delivery"]["attempts"].as_array().unwrap();
    assert!(attempts.len() <= 10 && attempts.iter().all(|one| one["status"] == 204), "{shown}");
    assert!(shown.get("secret").is_none() && !shown.to_string().contains(secret));
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_under_the_same_id() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let webhook = create(&api, &receiver.address, &["customer_registered"]).await;
    let path = path(&webhook);
    // A redirect is a failure: nobody follows it.
    receiver.answers(307);
    api.customer("acme").await;
    let refused = receiver.next().await;
    let failing = api.until(&path, &api.operator, |shown| shown["delivery"]["failures"] == 1).await;
    let delivery = &failing["delivery"];
    assert_eq!(
        (&delivery["attempts"][0]["status"], &delivery["after"]),
        (&json!(307), &webhook["delivery"]["after"])
    );
    assert!(delivery["next_at"].is_string() && delivery["failing_since"].is_string(), "{failing}");

    api.customer("blum").await;
    receiver.answers(200);
    let other = json!({"url": format!("{}other", receiver.address)});
    let changed = api.put(&path, &api.operator, other).await.is(200).body;
    assert_eq!((&changed["delivery"]["next_at"], &changed["version"]), (&Value::Null, &json!(2)));
    let (again, next) = (receiver.next().await, receiver.next().await);
    assert_eq!(again.header("webhook-id"), refused.header("webhook-id"));
    assert_eq!((again.body.as_ref(), again.path.as_str()), (refused.body.as_ref(), "/other"));
    assert_eq!(next.json()["data"]["cid"], "blu");

    let from = refused.seq();
    let replay = format!("{path}/replay?from={from}");
    api.call(reqwest::Method::POST, &replay, &api.operator, None).await.is(200);
    let replayed = [receiver.next().await, receiver.next().await];
    assert_eq!(replayed.map(|message| message.seq()), [from, next.seq()]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_given_up_and_others_are_told() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let gone = create(&api, &format!("{}gone", receiver.address), &[]).await;
    receiver.answers(410);
    api.customer("acme").await;
    let refused = receiver.next().await;
    let shown = api.until(&path(&gone), &api.operator, |shown| shown["enabled"] == false).await;
    assert_eq!(shown["disabled_reason"], "the receiver answered 410: it is gone");

    receiver.answers(200);
    let watcher = create(&api, &format!("{}watch", receiver.address), &["webhook_disabled"]).await;
    let replay = format!("{}/replay?from=1", path(&watcher));
    api.call(reqwest::Method::POST, &replay, &api.operator, None).await.is(200);
    let told = receiver.next().await;
    assert_eq!((told.path.as_str(), &told.json()["data"]["subject"]["id"]), ("/watch", &gone["id"]));

    api.put(&path(&gone), &api.operator, json!({"enabled": true})).await.is(200);
    let again = receiver.next().await;
    assert_eq!((again.path.as_str(), again.seq()), ("/gone", refused.seq()));
}

#[tokio::test]
async fn a_renewed_secret_and_the_one_before_sign_together() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let webhook = create(&api, &receiver.address, &["customer_registered"]).await;
    let renew = format!("{}/renew", path(&webhook));
    let renewed = api.call(reqwest::Method::POST, &renew, &api.operator, None).await.is(201).body;
    api.customer("acme").await;
    let message = receiver.next().await;
    let secrets: BTreeSet<_> = [&webhook, &renewed].map(|one| one["secret"].as_str().unwrap()).into();
    assert_eq!(secrets.len(), 2);
    assert!(secrets.iter().all(|secret| message.is_signed_by(secret)));
    assert!(renewed["former_secret_until"].is_string());
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let api = Api::start().await;
    let post = async |body: Value| -> Answer { api.post("/webhooks", &api.operator, body).await };
    for url in ["http://ops.example.com/", "https://127.0.0.1/", "https://a:b@ops.example.com/", "nowhere"] {
        let refused = post(json!({"url": url})).await;
        assert_eq!(refused.is_problem(422, "invalid").body["field"], "url", "{url}");
    }
    let unknown = post(json!({"url": "https://ops.example.com/", "kinds": ["nothing"]})).await;
    assert_eq!(unknown.is_problem(422, "invalid").body["field"], "kinds[0]");
    let created = create(&api, "https://ops.example.com/", &["site_created"]).await;
    let path = path(&created);
    for replay in ["", "?from=-1", "?from=x"] {
        let replay = format!("{path}/replay{replay}");
        let refused = api.call(reqwest::Method::POST, &replay, &api.operator, None).await;
        refused.is_problem(400, "invalid_query");
    }
    let request = api.request(reqwest::Method::DELETE, &path).bearer_auth(&api.operator);
    super::harness::send(request.header("if-match", "\"9\"")).await.is_problem(412, "version_mismatch");
    let listed = api.get("/webhooks", &api.operator).await.is(200).body;
    assert_eq!((&listed["items"][0]["id"], listed.to_string().contains("whsec_")), (&created["id"], false));
    let tenant = api.tenant("acme").await;
    api.get("/webhooks", &tenant.key).await.is_problem(403, "forbidden");
    api.delete(&path, &api.operator).await.is(204);
    api.get(&path, &api.operator).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_after_a_pause() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let webhook = create(&api, &receiver.address, &["customer_deletion_requested"]).await;
    let cid = api.customer("acme").await;
    receiver.answers(503);
    api.delete(&format!("/customers/{cid}"), &api.operator).await.is(202);
    let refused = receiver.next().await;
    receiver.answers(204);
    let again = receiver.next().await;
    assert_eq!((again.header("webhook-id"), &again.body), (refused.header("webhook-id"), &refused.body));
    assert_eq!(again.json()["type"], "customer_deletion_requested");
    let taken = |shown: &Value| shown["delivery"]["after"] == refused.seq();
    let shown = api.until(&path(&webhook), &api.operator, taken).await;
    let tries = shown["delivery"]["attempts"].as_array().unwrap();
    assert_eq!(tries.iter().map(|one| &one["status"]).collect::<Vec<_>>(), [503, 204]);
    let at = |one: &Value| one["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(at(&tries[1]).duration_since(at(&tries[0])).as_millis() >= 2500, "{tries:?}");
}

#[tokio::test]
async fn a_site_that_changes_its_condition_is_told_of() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    create(&api, &receiver.address, &["site_condition_changed"]).await;
    let tenant = api.tenant("acme").await;
    let made = api.post("/wpaas", &tenant.key, super::harness::site("blog")).await.is(202).body;
    loop {
        let told = receiver.next().await.json();
        assert_eq!(
            (&told["type"], &told["data"]["subject"]["id"]),
            (&json!("site_condition_changed"), &made["id"])
        );
        let detail = &told["data"]["detail"];
        if detail["condition"] == "Ready" && detail["status"] == "True" {
            return;
        }
    }
}
