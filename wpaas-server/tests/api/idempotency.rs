//! `Idempotency-Key`.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Answer, Api, send, site};

async fn post(api: &Api, path: &str, key: &str, name: &str, body: &Value) -> Answer {
    let request = api.request(Method::POST, path).bearer_auth(key);
    send(request.header("idempotency-key", name).json(body)).await
}

#[tokio::test]
async fn a_repeated_post_is_answered_as_before_and_done_once() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let first = post(&api, "/wpaas", &tenant.key, "k1", &site("blog")).await.is(202);
    let second = post(&api, "/wpaas", &tenant.key, "k1", &site("blog")).await.is(202);
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(first.header("etag"), second.header("etag"));
    assert_eq!((first.header("idempotent-replayed"), second.header("idempotent-replayed")), ("", "true"));
    post(&api, "/wpaas", &tenant.key, "k1", &site("shop")).await.is_problem(409, "idempotency_key_reused");
    post(&api, "/wpaas", &tenant.key, "k2", &site("blog")).await.is_problem(409, "site_name_taken");
}

#[tokio::test]
async fn a_refused_post_can_be_sent_again_with_its_key() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let mut body = site("blog");
    body["num_instances"] = json!("many");
    post(&api, "/wpaas", &tenant.key, "k1", &body).await.is_problem(422, "invalid");
    post(&api, "/wpaas", &tenant.key, "k1", &site("blog")).await.is(202);
}

#[tokio::test]
async fn a_key_belongs_to_who_used_it() {
    let api = Api::start().await;
    let (one, other) = (api.tenant("acme").await, api.tenant("blum").await);
    let first = post(&api, "/wpaas", &one.key, "k1", &site("blog")).await.is(202);
    let second = post(&api, "/wpaas", &other.key, "k1", &site("blog")).await.is(202);
    assert_ne!(first.body["id"], second.body["id"]);
}
