//! `/users` and their keys.

use serde_json::json;

use super::harness::{Api, PASSWORD};

#[tokio::test]
async fn a_user_comes_with_a_key_that_is_shown_once() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let body = json!({
        "cid": tenant.cid, "name": "ada", "email": "ada@example.com", "password": PASSWORD,
        "spaces": [tenant.space], "enabled": true,
    });
    let made = api.post("/users", &api.operator, body).await.is(201).body;
    let key = made["api_key"]["key"].as_str().unwrap();
    assert!(made["api_key"]["expires_at"].is_string(), "{made}");
    let shown = api.get(&format!("/users/{}/ada", tenant.cid), key).await.is(200).body;
    assert_eq!((&shown["username"], &shown["spaces"]), (&"ada".into(), &json!([tenant.space])));
    assert!(!shown.to_string().contains(key));
    let named = api.get(&format!("/users/{}?name=ada", tenant.cid), &api.operator).await.is(200).body;
    assert_eq!(named["items"], json!([shown]));
    assert_eq!(
        api.get(&format!("/users/{}", tenant.cid), &api.operator).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_user_is_changed_by_path_and_by_body_and_disabled() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/users/{}/dev", tenant.cid);
    let changed = api.put(&path, &api.operator, json!({"name": "Dev Eloper"})).await.is(200).body;
    assert_eq!(changed["name"], "Dev Eloper");
    let by_body = json!({"username": "dev", "email": "d@example.com"});
    let changed = api.put(&format!("/users/{}", tenant.cid), &api.operator, by_body).await.is(200).body;
    assert_eq!((&changed["name"], &changed["email"]), (&"Dev Eloper".into(), &"d@example.com".into()));
    api.get(&path, &tenant.key).await.is(200);
    api.put(&path, &api.operator, json!({"enabled": false})).await.is(200);
    api.get(&path, &tenant.key).await.is_problem(401, "unauthenticated");
    api.delete(&path, &api.operator).await.is(204);
    api.get(&path, &api.operator).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn keys_are_renewed_and_taken_back() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/users/{}/dev/keys", tenant.cid);
    let listed = api.get(&path, &tenant.key).await.is(200).body;
    let first = listed["items"][0]["id"].as_str().unwrap();
    let renewed = api.post(&format!("{path}/{first}/renew"), &tenant.key, json!({})).await.is(201).body;
    let second = renewed["key"].as_str().unwrap();
    for key in [tenant.key.as_str(), second] {
        api.get(&path, key).await.is(200);
    }
    let third = api.post(&path, second, json!({"label": "ci", "lifetime": "1h"})).await.is(201);
    assert_eq!(third.header("location"), format!("{path}/{}", third.body["id"].as_str().unwrap()));
    let third = third.body;
    assert_eq!(third["label"], "ci");
    let id = third["id"].as_str().unwrap();
    let mut shown = third.clone();
    shown.as_object_mut().unwrap().remove("key");
    assert_eq!(api.get(&format!("{path}/{id}"), second).await.is(200).body, shown);
    assert_eq!(api.delete(&format!("{path}/{id}"), second).await.is(200).body["revoked"], true);
    api.get(&path, third["key"].as_str().unwrap()).await.is_problem(401, "unauthenticated");
    let other = api.tenant("blum").await;
    let elsewhere = format!("/users/{}/dev/keys/{id}", other.cid);
    api.delete(&elsewhere, &other.key).await.is_problem(404, "not_found");
    api.get(&elsewhere, &other.key).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_user_name_must_be_given_where_the_name_is_none() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let body = json!({"cid": cid, "name": "Ada Lovelace", "email": "ada@example.com"});
    let answer = api.post("/users", &api.operator, body).await;
    assert_eq!(answer.is_problem(422, "invalid").body["field"], "username");
}
