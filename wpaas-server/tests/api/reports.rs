//! `/reports`.

use serde_json::json;

use super::harness::{Api, send, site};

#[tokio::test]
async fn only_a_node_with_its_token_may_report() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let made = api.post("/wpaas", &tenant.key, site("blog")).await.is(202).body;
    let path = format!("/reports/{}/gateway-0", made["id"].as_str().unwrap());
    let body = json!({"boot": "ab12", "gateway": {"revision": "1", "servers": {}, "error": null}});
    send(api.report_request(&path).json(&body)).await.is_problem(401, "unauthenticated");
    for key in ["wrong", &tenant.key, &api.operator] {
        send(api.report_request(&path).bearer_auth(key).json(&body)).await.is_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn nothing_else_is_served_to_nodes() {
    let api = Api::start().await;
    send(api.report_request("/customers").bearer_auth(&api.operator).json(&json!({})))
        .await
        .is_problem(404, "not_found");
    api.post("/reports/site_1/gateway-0", &api.operator, json!({})).await.is_problem(404, "not_found");
}
