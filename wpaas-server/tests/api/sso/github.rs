//! GitHub is spoken with as its documentation says; what answers here is this test's own stand-in, as a GitHub
//! Enterprise would be reached.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wpaas_server::config::Flags;

use super::super::harness::CLIENT_SECRET;
use super::browser::{begin, come_back};
use super::{PUBLIC, server};

pub fn named(issuer: &str) -> String {
    format!(
        "[sso.github]\nissuer = '{issuer}'\nclient_id = 'us'\nclient_secret_file = 'SECRET'\ntrust_email = true\n"
    )
}

/// The challenges of the codes that were given and not used yet.
type Given = Arc<Mutex<Vec<(String, String)>>>;

async fn stand_in() -> (String, Given) {
    let given = Given::default();
    let routes = Router::new()
        .route("/login/oauth/access_token", post(token))
        .route("/api/v3/user", get(user))
        .route("/api/v3/user/emails", get(emails))
        .with_state(given.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (issuer, given)
}

/// Says no with status 200, as GitHub does.
async fn token(State(given): State<Given>, Form(form): Form<Vec<(String, String)>>) -> Json<Value> {
    let of =
        |name: &str| form.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str());
    let client = (of("client_id"), of("client_secret"), of("redirect_uri"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
    let mut given = given.lock().unwrap();
    let fits = |(code, known): &(String, String)| code == of("code") && *known == challenge;
    let found = given.iter().position(fits);
    let redirect = format!("{PUBLIC}/sso/github/callback");
    match found {
        Some(at) if client == ("us", CLIENT_SECRET, &redirect) => {
            given.remove(at);
            Json(json!({"access_token": "gho_1", "scope": "user:email", "token_type": "bearer"}))
        }
        _ => Json(
            json!({"error": "bad_verification_code", "error_description": "The code passed is incorrect."}),
        ),
    }
}

fn is_known(headers: &HeaderMap) -> bool {
    headers["authorization"] == "Bearer gho_1" && headers.contains_key("user-agent")
}

async fn user(headers: HeaderMap) -> Json<Value> {
    assert!(is_known(&headers));
    Json(json!({"id": 583_231, "login": "octocat", "name": "Octo Cat"}))
}

async fn emails(headers: HeaderMap) -> Json<Value> {
    assert!(is_known(&headers));
    Json(json!([
        {"email": "old@example.com", "primary": false, "verified": true, "visibility": null},
        {"email": "octo@example.com", "primary": true, "verified": true, "visibility": "public"},
    ]))
}

#[tokio::test]
async fn github_signs_in_by_its_number_and_its_primary_address() {
    let (issuer, given) = stand_in().await;
    let api = server(&named(&issuer), Flags::default()).await;
    let cid = api.customer("acme").await;
    let user = json!({"cid": cid, "name": "octo", "email": "octo@example.com"});
    api.post("/users", &api.operator, user).await.is(201);
    let start = format!("/sso/github/start?cid={cid}");
    let login = begin(&api, &start).await;
    assert!(login.url.as_str().starts_with(&format!("{issuer}/login/oauth/authorize?")), "{}", login.url);
    assert_eq!(login.parameter("scope"), "user:email");
    let back = |state: &str, code: &str| -> Url {
        format!("{PUBLIC}/sso/github/callback?code={code}&state={state}").parse().unwrap()
    };
    given.lock().unwrap().push(("c1".to_owned(), login.parameter("code_challenge")));
    let first = come_back(&api, &back(&login.parameter("state"), "c1"), login.kept()).await.is(200).body;
    assert_eq!(
        (&first["account"], &first["verified_email"]),
        (&json!("octocat"), &json!("octo@example.com"))
    );
    assert_eq!(first["session"]["cid"], *cid);

    // A code is used once, and by who began alone.
    let login = begin(&api, &start).await;
    given.lock().unwrap().push(("c2".to_owned(), "another's challenge".to_owned()));
    for code in ["c1", "c2"] {
        let login = begin(&api, &start).await;
        let answer = come_back(&api, &back(&login.parameter("state"), code), login.kept()).await;
        answer.is_problem(403, "sso_refused");
    }
    given.lock().unwrap().push(("c3".to_owned(), login.parameter("code_challenge")));
    let again = come_back(&api, &back(&login.parameter("state"), "c3"), login.kept()).await.is(200).body;
    assert_eq!(again["session"]["user_id"], first["session"]["user_id"]);
}
