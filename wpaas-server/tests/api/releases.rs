//! Code from git becomes a release, and one site's bad code is no other's trouble.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_server::config::Flags;

use super::harness::{Api, Tenant, site};

pub fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    let done = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A repository with one plugin; returns its URL.
pub fn repository(folder: &Path) -> String {
    let work = folder.join("blog");
    std::fs::create_dir_all(work.join("mu-plugins")).unwrap();
    std::fs::write(work.join("mu-plugins/hello.php"), "<?php // hello").unwrap();
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    git(&work, &["add", "."]);
    git(&work, &["commit", "--quiet", "--message", "hello"]);
    format!("file://{}/blog", folder.display())
}

async fn post(api: &Api, tenant: &Tenant, name: &str, code: Value) -> String {
    let mut body = site(name);
    body["code"] = code;
    api.post("/wpaas", &tenant.key, body).await.is(202);
    format!("/wpaas/{}/default/{name}", tenant.cid)
}

#[tokio::test]
async fn good_code_is_served_whatever_other_sites_ask_for() {
    let folder = TempDir::new().unwrap();
    let good = repository(folder.path());
    let prefix = format!("file://{}/", folder.path().display());
    let api =
        Api::with(Flags { code_allowed_prefixes: Some(vec![prefix.clone()]), ..Flags::default() }).await;
    let tenant = api.tenant("acme").await;
    let mut bad = Vec::new();
    for name in ["bad-one", "bad-two", "bad-three"] {
        bad.push(post(&api, &tenant, name, json!({"git": format!("{prefix}nothing")})).await);
    }
    let path = post(&api, &tenant, "blog", json!({"git": good, "ref": "main"})).await;
    let released = |site: &Value| !site["release"].is_null() && site["status"]["phase"] == "ready";
    let site = api.until(&path, &tenant.key, released).await;
    assert!(site["release"]["digest"].as_str().unwrap().starts_with("sha256:"), "{site}");
    assert_eq!((&site["code_url"], &site["code_failure"]), (&json!(good), &Value::Null));
    for path in bad {
        let site = api.until(&path, &tenant.key, |site| !site["code_failure"].is_null()).await;
        assert_eq!(site["release"], Value::Null);
        assert!(!site["code_failure"]["message"].as_str().unwrap().is_empty(), "{site}");
    }
}

/// A site of this repository, and its path.
async fn blog(folder: &TempDir) -> (Api, Tenant, String) {
    let good = repository(folder.path());
    let prefix = format!("file://{}/", folder.path().display());
    let api = Api::with(Flags { code_allowed_prefixes: Some(vec![prefix]), ..Flags::default() }).await;
    let tenant = api.tenant("acme").await;
    let path = post(&api, &tenant, "blog", json!({"git": good, "ref": "main"})).await;
    (api, tenant, path)
}

#[tokio::test]
async fn a_moved_branch_is_fetched_when_asked_for_and_not_before() {
    let folder = TempDir::new().unwrap();
    let (api, tenant, path) = blog(&folder).await;
    let first = api.until(&path, &tenant.key, |site| !site["release"].is_null()).await["release"].clone();
    git(&folder.path().join("blog"), &["commit", "--quiet", "--allow-empty", "--message", "again"]);
    let code = json!({"git": format!("file://{}/blog", folder.path().display()), "ref": "main"});
    for change in [json!({"num_instances": 2}), json!({"title": "Blog", "code": code})] {
        let generation = api.put(&path, &tenant.key, change).await.is(202).body["generation"].clone();
        let taken_up = |site: &Value| site["status"]["observed_generation"] == generation;
        let site = api.until(&path, &tenant.key, taken_up).await;
        assert_eq!((&site["release"], &site["code_failure"]), (&first, &Value::Null), "fetched once");
    }
    api.post(&format!("{path}/refetch"), &tenant.key, json!({})).await.is(202);
    let moved = |site: &Value| site["release"]["revision"] != first["revision"];
    api.until(&path, &tenant.key, moved).await;
}

#[tokio::test]
async fn a_dry_run_of_a_rollback_or_a_fetch_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (api, tenant, path) = blog(&folder).await;
    let served = |site: &Value| site["release"]["revision"].as_str().map(ToOwned::to_owned);
    let first = api.until(&path, &tenant.key, |site| served(site).is_some()).await;
    std::fs::write(folder.path().join("blog/mu-plugins/hello.php"), "<?php // again").unwrap();
    git(&folder.path().join("blog"), &["commit", "--quiet", "--all", "--message", "again"]);
    let fetch = api.post(&format!("{path}/releases?dry_run=true"), &tenant.key, json!({})).await.is(200).body;
    assert_eq!(fetch["dry_run"], true, "{fetch}");
    assert_eq!(api.get(&path, &tenant.key).await.body["generation"], first["generation"]);
    api.post(&format!("{path}/releases"), &tenant.key, json!({})).await.is(202);
    let moved = |site: &Value| {
        served(site).is_some_and(|release| Some(release) != served(&first))
            && site["status"]["phase"] == "ready"
    };
    let second = api.until(&path, &tenant.key, moved).await;
    let all = api.get(&format!("{path}/releases"), &tenant.key).await.is(200).body;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    let back = api.post(&format!("{path}/rollback?dry_run=true"), &tenant.key, json!({})).await.is(200).body;
    assert_eq!((&back["dry_run"], served(&back["site"])), (&json!(true), served(&first)));
    assert!(back["plan"]["text"].as_str().unwrap().contains("wordpress-"), "{back}");
    let now = api.get(&path, &tenant.key).await.body;
    assert_eq!((&now["generation"], served(&now)), (&second["generation"], served(&second)));
    api.post(&format!("{path}/rollback"), &tenant.key, json!({})).await.is(202);
    api.until(&path, &tenant.key, |site| served(site) == served(&first)).await;
}
