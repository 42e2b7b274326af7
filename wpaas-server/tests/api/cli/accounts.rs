use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Person;
use crate::harness::Api;

const PASSWORD: &str = "a-password-nobody-else-has";

#[tokio::test]
async fn from_the_operator_to_a_users_key() {
    let api = Api::start().await;
    let operator = Person::with_key(&api, &api.operator).await;
    let create =
        ["customers", "create", "Acme Magazine", "--email", "o@acme.example", "--password-file", "-"];
    let made = operator.run_with(&create, PASSWORD).await.is(0).shows(&["cid", "acm", "o@acme.example"]);
    assert!(!made.out.contains(PASSWORD));
    operator.run(&["customers", "list"]).await.is(0).shows(&["CID", "acm", "Acme Magazine"]);
    operator.run(&["customers", "suspend", "acm"]).await.is(0).shows(&["suspended"]);
    operator.run(&["customers", "resume", "acm"]).await.is(0).shows(&["free"]);

    let owner = Person::of(&api);
    let login = ["login", "--username", "o@acme.example", "--password-file", "-"];
    let ran = owner.run_with(&login, PASSWORD).await.is(0).shows(&["for customer acm"]);
    assert!(!format!("{ran:?}").contains(PASSWORD));
    let kept = std::fs::read_to_string(owner.kept()).unwrap();
    assert!(kept.contains("wpk_") && !kept.contains(PASSWORD));
    assert_eq!(std::fs::metadata(owner.kept()).unwrap().permissions().mode() & 0o777, 0o600);

    let org = ["orgs", "create", "shop", "--space", "live", "--max-sites", "5"];
    owner.run(&org).await.is(0).shows(&["shop", "sites=5"]);
    owner
        .run(&["orgs", "update", "shop", "--max-storage", "100"])
        .await
        .is(0)
        .shows(&["sites=5", "storage_gib=100"]);
    owner.run(&["spaces", "create", "staging", "--org", "shop"]).await.is(0).shows(&["staging"]);
    owner.run(&["spaces", "list", "--org", "shop"]).await.is(0).shows(&["live", "staging"]);
    let update = ["spaces", "update", "staging", "--org", "shop", "--description", "before it is live"];
    owner.run(&[&update[..], &["--max-sites", "2"]].concat()).await.is(0).shows(&["sites=2"]);
    owner
        .run(&[&update[..], &["--max-storage", "9"]].concat())
        .await
        .is(0)
        .shows(&["sites=2", "storage_gib=9"]);
    let shown = ["staging", "before it is live", "sites=2", "storage_gib=9"];
    owner.run(&["spaces", "show", "staging", "--org", "shop"]).await.is(0).shows(&shown);
    owner.run(&["orgs", "list"]).await.is(0).shows(&["NAME", "shop", "sites=5", "storage_gib=100"]);
    let file = owner.home.path().join("dev.key");
    let user = ["users", "create", "dev", "--email", "d@acme.example", "--org", "shop", "--space", "live"];
    let saved = owner.run(&[&user[..], &["--save-key", file.to_str().unwrap()]].concat()).await.is(0);
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(!saved.out.contains(key.trim()) && !saved.out.contains("wpk_"), "{}", saved.out);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    owner.run(&["users", "show", "dev"]).await.is(0).shows(&["role=developer", "scope=space"]);
    owner.run(&["users", "update", "dev", "--enabled", "false"]).await.is(0).shows(&["enabled   false"]);
    owner
        .run(&["users", "update", "dev", "--enabled", "true", "--org-role", "manager", "--org", "shop"])
        .await
        .is(0);

    let dev = Person::with_key(&api, key.trim()).await;
    dev.run(&["sites", "list", "--org", "shop", "--space", "live"]).await.is(0).says(&["nothing"]);
    owner.run(&["spaces", "delete", "staging", "--org", "shop", "--yes"]).await.is(0);
    owner.run(&["orgs", "delete", "shop", "--yes"]).await.is(6);
    owner.run(&["orgs", "delete", "shop", "--recursive", "--yes"]).await.is(0);
    owner.run(&["users", "delete", "dev", "--yes"]).await.is(0);
    dev.run(&["orgs", "list"]).await.is(4).says(&["wpaas login"]);
}

#[tokio::test]
async fn keys_are_made_renewed_and_taken_back() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let create = ["keys", "create", "--user", "dev", "--label", "ci", "--lifetime", "30d", "-o", "json"];
    let key = person.run(&create).await.is(0).json();
    let id = key["id"].as_str().unwrap();
    let other = Person::with_key(&api, key["key"].as_str().unwrap()).await;
    let listed = other.run(&["keys", "list", "--user", "dev"]).await.is(0).shows(&["ci", id]);
    assert!(!listed.out.contains("wpk_"), "{}", listed.out);
    person.run(&["keys", "show", id, "--user", "dev"]).await.is(0).shows(&["ci", id, "revoked    false"]);
    person.run(&["keys", "renew", id, "--user", "dev"]).await.is(0).shows(&["wpk_"]);
    person.run(&["keys", "revoke", id, "--user", "dev"]).await.is(2).says(&["--yes"]);
    person.run(&["keys", "revoke", id, "--user", "dev", "--yes"]).await.is(0).shows(&["revoked    true"]);
    other.run(&["keys", "list", "--user", "dev"]).await.is(4);
}

#[tokio::test]
async fn lists_are_shown_whole() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let keys = format!("/users/{}/dev/keys", tenant.cid);
    // More than a page.
    for _ in 0..100 {
        api.post(&keys, &api.operator, json!({})).await.is(201);
    }
    let person = Person::with_key(&api, &tenant.key).await;
    let listed = person.run(&["keys", "list", "--user", "dev", "-o", "json"]).await.is(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 101, "with the one that it was made with");
}

#[tokio::test]
async fn customers_orgs_and_users_are_shown_and_changed() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let operator = Person::with_key(&api, &api.operator).await;
    let cid = tenant.cid.as_str();
    operator.run(&["customers", "show", cid]).await.is(0).shows(&[cid, "acme@example.com", "free"]);
    let update = ["customers", "update", cid, "--name", "Acme & Co", "--plan", "paid"];
    operator.run(&update).await.is(0).shows(&["Acme & Co", "paid"]);
    let account = ["customers", "update", cid, "--payment-account", "team", "--payment-identifier", "cus_1"];
    operator.run(&account).await.is(0);
    let shown = api.get(&format!("/customers/{cid}"), &api.operator).await.is(200).body;
    assert_eq!(shown["payment_accounts"]["team"]["identifier"], "cus_1");
    operator.run(&["orgs", "show", "default", "--cid", cid]).await.is(0).shows(&["default", &tenant.org]);
    operator.run(&["orgs", "show", "nowhere", "--cid", cid]).await.is(3).says(&["error: Not Found"]);
    operator.run(&["users", "list", "--cid", cid]).await.is(0).shows(&["dev", "dev@example.com"]);
    operator.run(&["customers", "delete", cid]).await.is(2).says(&["--yes"]);
    let gone = ["customers", "delete", cid, "--grace", "1h", "--yes"];
    operator.run(&gone).await.is(0).shows(&["to_be_removed"]);
    operator.run(&["customers", "restore", cid]).await.is(0).shows(&["paid"]);
    operator.run(&["customers", "restore", cid]).await.is(6);
}

/// Answers one request with 401, and tells in lower case what was asked.
async fn refuse(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    String::from_utf8(heard).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn a_kept_key_goes_to_its_own_server_alone() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", elsewhere.local_addr().unwrap());
    let list = ["customers", "list", "--api", &address];
    let (ran, heard) = tokio::join!(person.run(&list), refuse(&elsewhere));
    ran.is(4).says(&["error: 401 Unauthorized", "help: sign in with `wpaas login`"]);
    assert!(heard.starts_with("get /customers") && !heard.contains("authorization"), "{heard}");
    let given = person.file("operator", "for-elsewhere");
    let list = [&list[..], &["--token-file", &given]].concat();
    let (_, heard) = tokio::join!(person.run(&list), refuse(&elsewhere));
    assert!(heard.contains("authorization: bearer for-elsewhere"), "{heard}");
    person.run(&["logout"]).await.is(0);
    assert!(!person.kept().exists());
    person.run(&["sites", "list"]).await.is(4);
    let given =
        person.command(&["sites", "list", "-o", "json"]).env("WPAAS_TOKEN", &tenant.key).spawn().unwrap();
    assert_eq!(super::ran(given, "").await.is(0).json(), json!([]));
}
