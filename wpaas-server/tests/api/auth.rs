//! Who may come in, and what those who may not learn.

use reqwest::Method;
use serde_json::{Value, json};
use wpaas_server::config::{Flags, Registration};

use super::harness::{Api, PASSWORD, send, site};

#[tokio::test]
async fn nothing_is_answered_to_nobody() {
    let api = Api::start().await;
    let paths = ["/customers", "/customers/acm", "/orgs", "/orgs/acm", "/spaces", "/users/acm", "/wpaas"];
    for path in paths {
        let answer = api.get(path, "").await;
        answer.is_problem(401, "unauthenticated");
        let challenges = answer.headers.get_all("www-authenticate").iter().count();
        assert_eq!(challenges, 2, "{path}");
    }
    for key in ["wrong", "wpaas_operator_", "wpk_1_2", &format!("{}0", api.operator)] {
        api.get("/customers", key).await.is_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn customers_and_users_sign_in_with_their_passwords() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let user = json!({"cid": cid, "name": "ada", "email": "ada@example.com", "password": PASSWORD});
    api.post("/users", &api.operator, user).await.is(201);
    let get = |name: String, password: &str| {
        send(api.request(Method::GET, &format!("/customers/{cid}")).basic_auth(name, Some(password)))
    };
    assert_eq!(get("acme@example.com".to_owned(), PASSWORD).await.is(200).body["cid"], *cid);
    assert_eq!(get(format!("{cid}/ada"), PASSWORD).await.is(200).body["cid"], *cid);
    let wrong = get("acme@example.com".to_owned(), "wrong").await;
    let unknown = get("nobody@example.com".to_owned(), PASSWORD).await;
    let other = get("xyz/ada".to_owned(), PASSWORD).await;
    for answer in [&wrong, &unknown, &other] {
        answer.is_problem(401, "unauthenticated");
    }
    let said = |answer: &super::harness::Answer| answer.body["detail"].clone();
    assert_eq!([said(&wrong), said(&unknown)], [said(&other), said(&other)], "nothing is told of who exists");
}

#[tokio::test]
async fn what_one_may_not_see_is_not_there() {
    let api = Api::start().await;
    let (one, other) = (api.tenant("acme").await, api.tenant("blum").await);
    for path in [
        format!("/customers/{}", other.cid),
        format!("/orgs/{}/default", other.cid),
        format!("/spaces/{}/default", other.org),
        format!("/users/{}", other.cid),
        format!("/wpaas/{}/default", other.cid),
        format!("/wpaas/{}/default/blog", other.cid),
    ] {
        let (there, nowhere) = (api.get(&path, &one.key).await, path.replace(&other.cid, "zzz"));
        let nowhere = api.get(&nowhere, &one.key).await;
        there.is_problem(404, "not_found");
        assert_eq!(without_id(there.body), without_id(nowhere.body), "{path}");
    }
    api.get("/customers", &one.key).await.is_problem(403, "forbidden");
}

fn without_id(mut problem: Value) -> Value {
    problem["request_id"] = Value::Null;
    problem
}

#[tokio::test]
async fn a_customers_own_identity_makes_no_sites() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default", tenant.cid);
    let as_customer =
        |method, path: &str| api.request(method, path).basic_auth("acme@example.com", Some(PASSWORD));
    send(as_customer(Method::POST, &path).json(&site("blog"))).await.is_problem(403, "forbidden");
    api.post(&path, &tenant.key, site("blog")).await.is(202);
    assert_eq!(send(as_customer(Method::GET, &path)).await.is(200).body["items"][0]["name"], "blog");
    send(as_customer(Method::DELETE, &format!("{path}/blog"))).await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn registration_is_the_operators_unless_it_is_open() {
    let body = json!({"name": "Acme", "email": "a@example.com", "password": PASSWORD});
    let closed = Api::start().await;
    closed.post("/customers", "", body.clone()).await.is_problem(401, "unauthenticated");
    let open = Api::with(Flags { registration: Some(Registration::Open), ..Flags::default() }).await;
    open.post("/customers", "", body).await.is(201);
}
