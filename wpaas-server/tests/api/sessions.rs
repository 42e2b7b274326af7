//! Signing in with a password gives a token, which ends by hand, by itself, and with the password.

use reqwest::Method;
use serde_json::json;

use super::harness::{Api, PASSWORD, send};

#[tokio::test]
async fn a_session_is_begun_used_listed_and_ended() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let user = json!({"cid": cid, "name": "ada", "email": "ada@example.com", "password": PASSWORD});
    api.post("/users", &api.operator, user).await.is(201);
    let sign_in = async |body| api.post("/sessions", "", body).await;
    let ada = json!({"cid": cid, "username": "ada", "password": PASSWORD});
    let first = sign_in(ada.clone()).await.is(201);
    assert_eq!((&first.body["cid"], first.header("location")), (&json!(cid), "/sessions/current"));
    assert!(first.body["user_id"].as_str().unwrap().starts_with("user_"));
    let second = sign_in(ada).await.is(201);
    let tokens = [&first, &second].map(|answer| answer.body["token"].as_str().unwrap().to_owned());
    let path = format!("/users/{cid}/ada");
    api.get(&path, &tokens[0]).await.is(200);
    let list = api.get("/sessions", &tokens[0]).await.is(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&list.body["items"][0]["current"], &list.body["items"][1]["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(list.body["items"][0].get("token"), None);

    api.delete("/sessions/current", &tokens[0]).await.is(204);
    api.get(&path, &tokens[0]).await.is_problem(401, "unauthenticated");
    api.get(&path, &tokens[1]).await.is(200);
    api.delete("/sessions", &tokens[1]).await.is(204);
    api.get(&path, &tokens[1]).await.is_problem(401, "unauthenticated");
    api.delete("/sessions/current", &api.operator).await.is_problem(409, "not_a_session");
}

#[tokio::test]
async fn a_customer_signs_in_itself_and_a_new_password_ends_its_sessions() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let owner = json!({"username": "acme@example.com", "password": PASSWORD});
    let session = api.post("/sessions/", "", owner).await.is(201);
    assert_eq!((&session.body["cid"], &session.body["user_id"]), (&json!(cid), &json!(null)));
    let token = session.body["token"].as_str().unwrap();
    let path = format!("/customers/{cid}");
    api.put(&path, token, json!({"password": "another correct horse"})).await.is(200);
    api.get(&path, token).await.is_problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_wrong_at_signing_in_tells_nothing_of_who_exists() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    for body in [
        json!({"username": "acme@example.com", "password": "wrong horse"}),
        json!({"username": "nobody", "password": PASSWORD}),
        json!({"cid": cid, "username": "acme@example.com", "password": PASSWORD}),
        json!({"cid": "zzz", "username": "ada", "password": PASSWORD}),
    ] {
        api.post("/sessions", "", body).await.is_problem(401, "unauthenticated");
    }
    let bad = api.post("/sessions", "", json!({"username": "ada", "pasword": PASSWORD})).await;
    bad.is_problem(422, "invalid");
    assert_eq!(bad.body["field"], "pasword");
    assert!(!bad.body.to_string().contains(PASSWORD));
    send(api.request(Method::GET, "/sessions")).await.is_problem(401, "unauthenticated");
}
