//! A secret goes in; it must be found nowhere outside.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use wpaas_core::keyring::Keyring;
use wpaas_core::service::{Service, Settings};
use wpaas_core::store::{SqlStore, scratch};
use wpaas_server::config::Flags;

use super::harness::{Api, LOG, site};
use super::moved::run;
use super::several::on;

const ADMIN: &str = "canary-admin-5f0b1c7e";
const LOGIN: &str = "canary-login-93aa41d0";
const CREDENTIAL: &str = "canary-credential-77e1";
const CANARIES: [&str; 3] = [ADMIN, LOGIN, CREDENTIAL];

/// All that is there; what goes away meanwhile is not.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

#[track_caller]
fn absent(what: &str, bytes: &[u8]) {
    lacks(what, bytes, CANARIES);
}

#[track_caller]
fn lacks(what: &str, bytes: &[u8], canaries: impl IntoIterator<Item = &'static str>) {
    for canary in canaries {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
        assert!(!found, "{canary} is in {what}");
    }
}

/// The key that certificates are asked for with, as the server sees it.
async fn account_key(api: &Api, database: Option<&str>, authority: &str) -> String {
    let store = match database {
        Some(url) => SqlStore::connect(&url.parse().unwrap()).await.unwrap(),
        None => SqlStore::open(&api.data().join("wpaas.sqlite")).await.unwrap(),
    };
    let keyring = Keyring::open_or_create(&api.data().join("keys")).unwrap();
    let settings = Settings::new("wpaas.localhost".parse().unwrap());
    let service = Service::new(Arc::new(store), Arc::new(keyring), settings);
    let key = service.acme_key(authority).await.unwrap().unwrap().key;
    assert!(key.expose().len() > 40);
    key.expose().to_owned()
}

/// The whole state as text: what the server's own program writes, and what PostgreSQL's does.
fn dumps(data: &Path, database: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let export = data.with_file_name("export");
    run(data, database, &["export", export.to_str().unwrap()]).unwrap();
    let mut dumps = vec![("an export".to_owned(), std::fs::read(export).unwrap())];
    if let Some(url) = database {
        let dump = Command::new("pg_dump").args(["--dbname", url]).output().unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        dumps.push(("a dump of PostgreSQL".to_owned(), dump.stdout));
    }
    dumps
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_credentials_are_nowhere() {
    in_no_place(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_credentials_are_nowhere_with_postgres() {
    if let Some(url) = scratch::url().await {
        in_no_place(Some(&url)).await;
    }
}

async fn in_no_place(database: Option<&str>) {
    let authority = "https://127.0.0.1:9/directory".to_owned();
    let flags = database.map_or_else(Flags::default, on);
    let api = Api::with(Flags { acme_directory: Some(authority.clone()), ..flags }).await;
    let account = account_key(&api, database, &authority).await;
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
    let dumps = dumps(&api.data(), database);
    assert!(dumps.iter().all(|(_, bytes)| bytes.windows(4).any(|window| window == b"blog")));
    for (name, bytes) in files(&api.data()).into_iter().chain(dumps) {
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

/// Events outlive whom they tell of, and a store's free pages what was in them.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_leaves_no_name_and_no_address_of_anybody() {
    const OWNER: &str = "canary-owner-4f1d@purged.example";
    const PERSON: &str = "canary-person-1c9e@purged.example";
    const GONE: &str = "canary-gone-77ab@purged.example";
    let api = Api::start().await;
    let owner = json!({"name": "Acme", "email": OWNER, "password": LOGIN});
    let cid = api.post("/customers", &api.operator, owner).await.is(201).body["cid"].clone();
    for person in [PERSON, GONE] {
        let user =
            json!({"cid": cid, "username": person, "name": person, "email": person, "password": LOGIN});
        api.post("/users", &api.operator, user).await.is(201);
    }
    let cid = cid.as_str().unwrap().to_owned();
    let one = format!("/users/{cid}/{PERSON}");
    api.put(&one, &api.operator, json!({"enabled": true, "name": "canary"})).await.is(200);
    let key = api.post(&format!("{one}/keys"), &api.operator, json!({"label": PERSON})).await.is(201).body;
    api.delete(&format!("{one}/keys/{}", key["id"].as_str().unwrap()), &api.operator).await.is(200);
    api.delete(&format!("/users/{cid}/{GONE}"), &api.operator).await.is(204);
    let sign_in = json!({"cid": cid, "username": PERSON, "password": LOGIN});
    api.post("/sessions", "", sign_in).await.is(201);
    let mut blog = site("blog");
    blog["cid"] = json!(cid);
    api.post("/wpaas", &api.operator, blog).await.is(202);
    api.until(&format!("/wpaas/{cid}/default/blog"), &api.operator, |site| site["num_instances"] == 1).await;
    api.delete(&format!("/customers/{cid}?grace=0"), &api.operator).await.is(202);
    api.until(&format!("/customers/{cid}"), &api.operator, |left| left["status"] == "purged").await;
    let told = api.get(&format!("/events?cid={cid}&limit=500"), &api.operator).await.is(200);
    assert!(told.body["items"].as_array().unwrap().len() > 10, "{}", told.body);
    lacks("the events", told.body.to_string().as_bytes(), [OWNER, PERSON, GONE]);
    let holds = |bytes: &[u8], canary: &str| bytes.windows(canary.len()).any(|at| at == canary.as_bytes());
    let began = std::time::Instant::now();
    // The log of SQLite is emptied right after.
    while let Some((name, _)) =
        files(&api.data()).iter().find(|(_, bytes)| [OWNER, PERSON, GONE].iter().any(|it| holds(bytes, it)))
    {
        assert!(began.elapsed().as_secs() < 30, "{name} still tells of somebody");
    }
}
