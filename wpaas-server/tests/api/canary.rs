//! A secret goes in; it must be found nowhere outside.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use wpaas_core::keyring::Keyring;
use wpaas_core::service::{Service, Settings};
use wpaas_core::store::SqlStore;
use wpaas_server::config::Flags;

use super::harness::{Api, LOG, site};

const ADMIN: &str = "canary-admin-5f0b1c7e";
const LOGIN: &str = "canary-login-93aa41d0";
const CREDENTIAL: &str = "canary-credential-77e1";
const CANARIES: [&str; 3] = [ADMIN, LOGIN, CREDENTIAL];

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[track_caller]
fn absent(what: &str, bytes: &[u8]) {
    for canary in CANARIES {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!found, "{canary} is in {what}");
    }
}

/// The key that certificates are asked for with, as the server sees it.
async fn account_key(api: &Api, authority: &str) -> String {
    let store = SqlStore::open(&api.data().join("wpaas.sqlite")).await.unwrap();
    let keyring = Keyring::open_or_create(&api.data().join("keys")).unwrap();
    let settings = Settings::new("wpaas.localhost".parse().unwrap());
    let service = Service::new(Arc::new(store), Arc::new(keyring), settings);
    let key = service.acme_key(authority).await.unwrap().unwrap().key;
    assert!(key.expose().len() > 40);
    key.expose().to_owned()
}

#[tokio::test]
async fn passwords_and_credentials_are_nowhere() {
    let authority = "https://127.0.0.1:9/directory".to_owned();
    let api = Api::with(Flags { acme_directory: Some(authority.clone()), ..Flags::default() }).await;
    let account = account_key(&api, &authority).await;
    let tenant = api.tenant("acme").await;
    let user = json!({"cid": tenant.cid, "name": "eve", "email": "eve@example.com", "password": LOGIN});
    let mut answers = vec![api.post("/users", &api.operator, user).await.is(201)];
    let mut body = site("blog");
    body["admin_password"] = json!(ADMIN);
    body["code"] = json!({"git": "https://127.0.0.1/x.git", "credential": CREDENTIAL});
    answers.push(api.post("/wpaas", &tenant.key, body).await.is(202));
    let sign_in = json!({"cid": tenant.cid, "username": "eve", "password": LOGIN});
    let session = api.post("/sessions", "", sign_in).await.is(201).body["token"].as_str().unwrap().to_owned();
    let wrong = json!({"cid": tenant.cid, "username": "eve", "password": [LOGIN]});
    answers.push(api.post("/sessions", "", wrong).await.is(422));
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    answers.push(
        api.put(&path, &tenant.key, json!({"admin_password": ADMIN, "num_instances": "x"})).await.is(422),
    );
    answers.push(api.put(&path, &tenant.key, json!({"admin_password": [ADMIN]})).await.is(422));
    answers.push(api.put(&path, &tenant.key, json!({"admin_password": ADMIN})).await.is(202));
    answers.push(api.get(&path, &tenant.key).await.is(200));
    answers.push(
        api.put(&format!("{path}?dry_run=true"), &tenant.key, json!({"admin_password": ADMIN})).await.is(200),
    );
    let webhook = json!({"url": "https://127.0.0.1/", "enabled": false});
    answers.push(api.post("/webhooks", &api.operator, webhook).await.is(422));
    let webhook = json!({"url": "https://ops.example.com/", "enabled": false});
    let webhook = api.post("/webhooks", &api.operator, webhook).await.is(201).body;
    let signs = webhook["secret"].as_str().unwrap().to_owned();
    answers.push(api.get("/webhooks", &api.operator).await.is(200));
    answers.push(api.get("/events?limit=500", &api.operator).await.is(200));
    answers.push(api.get("/sessions", &session).await.is(200));
    answers.push(api.get(&format!("/users/{}/eve/keys", tenant.cid), &session).await.is(200));
    api.until(&path, &tenant.key, |site| !site["code_failure"].is_null()).await;
    for answer in &answers {
        absent("an answer", answer.body.to_string().as_bytes());
    }
    for (name, bytes) in files(&api.data()) {
        absent(&name, &bytes);
        for token in [&session, &tenant.key, &signs, &account] {
            let kept = bytes.windows(token.len()).any(|window| window == token.as_bytes());
            assert!(!kept, "a key, a session's token, a webhook's secret or the authority's is in {name}");
        }
    }
    let log = LOG.lock().unwrap().clone();
    assert!(log.windows(8).any(|window| window == b"answered"), "the log is looked at");
    absent("the log", &log);
    for secret in [api.operator.as_bytes(), account.as_bytes()] {
        let told = log.windows(secret.len()).any(|window| window == secret);
        assert!(!told, "the operator's token, or the key for the authority, is in the log");
    }
}
