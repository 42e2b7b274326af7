//! Whatever goes wrong is a problem (RFC 9457) with a code and the request's id.

use reqwest::Method;
use serde_json::json;
use wpaas_server::config::Flags;

use super::harness::{Api, send};

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let api = Api::start().await;
    api.get("/nothing/here", "").await.is_problem(404, "not_found");
    let answer = api.call(Method::PATCH, "/customers", &api.operator, None).await;
    answer.is_problem(405, "method_not_allowed");
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
}

#[tokio::test]
async fn what_is_no_json_is_told_apart_from_wrong_json() {
    let api = Api::start().await;
    let post = |body: &'static str| {
        let request = api.request(Method::POST, "/customers").bearer_auth(&api.operator);
        send(request.header("content-type", "application/json").body(body))
    };
    post("{").await.is_problem(400, "invalid_json");
    post("{} x").await.is_problem(422, "invalid");
    post("[1,").await.is_problem(422, "invalid");
    post(r#"["Acme", "a@example.com"]"#).await.is_problem(422, "invalid");
    let answer = post(r#"{"name":"Acme","email":"nobody"}"#).await;
    assert_eq!(answer.is_problem(422, "invalid").body["field"], "email");
    let answer = post(r#"{"name":"Acme","email":"a@example.com","colour":1}"#).await;
    assert_eq!(answer.is_problem(422, "invalid").body["field"], "colour");
    let plain = api.request(Method::POST, "/customers").bearer_auth(&api.operator).body("{}");
    send(plain).await.is_problem(415, "not_json");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let api = Api::with(Flags { limits_body_bytes: Some(1024), ..Flags::default() }).await;
    let body = json!({"name": "x".repeat(2048), "email": "a@example.com"});
    api.post("/customers", &api.operator, body).await.is_problem(413, "body_too_large");
}

#[tokio::test]
async fn queries_are_checked_too() {
    let api = Api::start().await;
    for (query, field) in [("limit=0", "limit"), ("limit=x", "limit"), ("cursor=%25", "cursor"), ("a=1", "a")]
    {
        let answer = api.get(&format!("/customers?{query}"), &api.operator).await;
        assert_eq!(answer.is_problem(400, "invalid_query").body["field"], field, "{query}");
    }
}

#[tokio::test]
async fn a_request_keeps_its_id_if_it_is_a_sane_one() {
    let api = Api::start().await;
    let with = |id: &'static str| send(api.request(Method::GET, "/nothing").header("x-request-id", id));
    assert_eq!(with("abc-1").await.is_problem(404, "not_found").body["request_id"], "abc-1");
    let answer = with("a b\"c").await;
    assert_ne!(answer.is_problem(404, "not_found").body["request_id"], "a b\"c");
}

#[tokio::test]
async fn a_trailing_slash_makes_no_difference() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    for path in ["/healthz", "/customers", &format!("/customers/{cid}"), &format!("/orgs/{cid}/default")] {
        let (without, with) =
            (api.get(path, &api.operator).await, api.get(&format!("{path}/"), &api.operator).await);
        assert_eq!((without.status, &without.body), (with.status, &with.body), "{path}");
        assert_eq!(without.status, 200, "{path}");
    }
}

#[tokio::test]
async fn who_reads_no_json_is_told_so_and_nothing_is_done() {
    let api = Api::start().await;
    let as_kind = |method, path: &str, kind: &'static str| {
        let request = api.request(method, path).bearer_auth(&api.operator).header("accept", kind);
        request.json(&json!({"name": "acme", "email": "a@example.com"}))
    };
    send(as_kind(Method::POST, "/customers", "text/html")).await.is_problem(406, "not_acceptable");
    send(as_kind(Method::GET, "/customers", "text/event-stream")).await.is_problem(406, "not_acceptable");
    assert_eq!(api.get("/customers", &api.operator).await.is(200).body["items"], json!([]));
    send(as_kind(Method::POST, "/customers", "text/html, application/*;q=0.1")).await.is(201);
}

#[tokio::test]
async fn an_array_is_not_taken_for_an_object() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let org = |field: &str, value| {
        let mut body = json!({"cid": cid, "name": "lab"});
        body[field] = value;
        body
    };
    for (field, value) in [("quota", json!([1])), ("quota", json!([])), ("quota", json!(5))] {
        let answer = api.post("/orgs", &api.operator, org(field, value.clone())).await;
        assert_eq!(answer.is_problem(422, "invalid").body["field"], "quota", "{value}");
    }
    api.post("/orgs", &api.operator, org("quota", json!({"sites": 1}))).await.is(201);
}
