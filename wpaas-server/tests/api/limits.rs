//! Who asks too often, or with too many wrong passwords, is told when to come again.

use reqwest::Method;
use serde_json::json;
use wpaas_server::config::Flags;

use super::harness::{Api, PASSWORD, send};

async fn sign_in(api: &Api, username: &str, password: &str) -> super::harness::Answer {
    api.post("/sessions", "", json!({"username": username, "password": password})).await
}

#[tokio::test]
async fn wrong_passwords_in_a_row_lock_the_name_out_and_nothing_else() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    for _ in 0..10 {
        sign_in(&api, "acme@example.com", "wrong horse").await.is_problem(401, "unauthenticated");
    }
    let locked = sign_in(&api, "ACME@example.com", PASSWORD).await;
    locked.is_problem(429, "locked_out");
    let seconds: u32 = locked.header("retry-after").parse().unwrap();
    assert!((1..=31).contains(&seconds), "{seconds}");
    let basic = api.request(Method::GET, "/orgs").basic_auth("acme@example.com", Some(PASSWORD));
    send(basic).await.is_problem(429, "locked_out");
    api.get(&format!("/customers/{}", tenant.cid), &tenant.key).await.is(200);
    sign_in(&api, "nobody@example.com", "wrong horse").await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn an_address_has_so_many_attempts() {
    let flags = Flags { limits_attempts_per_minute: Some(3), ..Flags::default() };
    let api = Api::with(flags).await;
    for _ in 0..2 {
        api.get("/customers", "wrong").await.is_problem(401, "unauthenticated");
    }
    sign_in(&api, "nobody", "wrong horse").await.is_problem(401, "unauthenticated");
    let refused = sign_in(&api, "somebody", "wrong horse").await;
    refused.is_problem(429, "too_many_attempts");
    assert!(!refused.header("retry-after").is_empty());
    api.get("/customers", &api.operator).await.is(200);
}

#[tokio::test]
async fn a_principal_has_so_many_requests_and_the_operator_all() {
    let flags = Flags { limits_principal_rate: Some(1), ..Flags::default() };
    let api = Api::with(flags).await;
    let tenant = api.tenant("acme").await;
    let path = format!("/customers/{}", tenant.cid);
    let mut refused = 0;
    for _ in 0..40 {
        refused += u32::from(api.get(&path, &tenant.key).await.status == 429);
    }
    assert!(refused > 0, "a burst of four and one a second can't answer forty at once");
    api.get(&path, &api.operator).await.is(200);
}
