use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use wpaas_server::config::Flags;

use super::Person;
use crate::harness::Api;
use crate::releases::{git, repository};

const PASSWORD: &str = "a-password-of-the-admin";

#[tokio::test]
async fn the_main_job() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let password = person.file("password", PASSWORD);

    let create = [
        "sites",
        "create",
        "blog",
        "--instances",
        "2",
        "--admin-password-file",
        &password,
        "--label",
        "tier=gold",
    ];
    let dry = person.run(&[&create[..], &["--dry-run"]].concat()).await.is(0);
    dry.shows(&["dry run: nothing was changed", "create network"]);
    person.run(&["sites", "show", "blog"]).await.is(3);

    let made = person.run(&[&create[..], &["--wait"]].concat()).await.is(0);
    made.shows(&["blog", "ready", "http://"]).says(&["wordpress-1: serving"]);
    let list =
        person.run(&["sites", "list", "--label", "tier=gold"]).await.is(0).shows(&["NAME", "blog", "ready"]);
    let columns: Vec<_> = list.out.lines().map(|line| line.find("ready").or(line.find("STATUS"))).collect();
    assert_eq!(columns, [columns[0]; 2], "{}", list.out);
    person.run(&["sites", "show", "blog"]).await.is(0).shows(&["2 of 2", "Ready", "database-0", "synced"]);

    let scaled =
        person.run(&["sites", "scale", "blog", "--instances", "3", "--wait", "-o", "json"]).await.is(0);
    assert_eq!((&scaled.json()["num_instances"], &scaled.json()["name"]), (&json!(3), &json!("blog")));
    let update = ["sites", "update", "blog", "--title", "A new title", "--protect", "true", "--wait"];
    person.run(&update).await.is(0);
    person.run(&["sites", "delete", "blog", "--yes"]).await.is(6).says(&["protect"]);
    person
        .run(&["sites", "update", "blog", "--protect", "false"])
        .await
        .is(0)
        .shows(&["wpaas sites watch blog"]);
    person.run(&["sites", "update", "blog", "--autoscale", "4-6@8", "--wait"]).await.is(0);
    let shown = person.run(&["sites", "show", "blog"]).await.is(0);
    shown.shows(&["4 of 4", "WANTED FOR THE LOAD", "8", "the load is not known yet"]);
    person
        .run(&["sites", "update", "blog", "--autoscale", "6-4"])
        .await
        .is(2)
        .says(&["features.autoscale.min"]);
    person.run(&["sites", "update", "blog", "--autoscale", "6"]).await.is(2).says(&["MIN-MAX[@TARGET]"]);
    person.run(&["sites", "update", "blog", "--hsts", "86400"]).await.is(0);
    let shown = person.run(&["sites", "show", "blog"]).await.is(0);
    shown.shows(&["max_age=86400", "WANTED FOR THE LOAD"]);
    person
        .run(&["sites", "update", "blog", "--hsts", "100000000"])
        .await
        .is(2)
        .says(&["features.hsts.max_age"]);
    person.run(&["sites", "update", "blog", "--hsts", "1d"]).await.is(2).says(&["on|off|SECONDS"]);
    person.run(&["sites", "update", "blog", "--autoscale", "off", "--wait"]).await.is(0);
    person.run(&["sites", "show", "blog"]).await.is(0).shows(&["3 of 3"]);

    person.run(&["sites", "delete", "blog"]).await.is(2).says(&["--yes"]);
    person.run(&["sites", "delete", "blog", "--yes", "--wait"]).await.is(0).shows(&["wpaas sites restore"]);
    person.run(&["sites", "restore", "blog", "--wait"]).await.is(0).shows(&["ready"]);
    person.run(&["sites", "watch", "blog"]).await.is(0).shows(&["ready"]);
    person.run(&["sites", "delete", "blog", "--grace", "0", "--yes", "--wait"]).await.is(0).shows(&["gone"]);
    person.run(&["sites", "show", "blog"]).await.is(3).says(&["error: Not Found", "help: check the name"]);
}

#[tokio::test]
async fn a_deploy_waits_for_the_new_release() {
    let folder = TempDir::new().unwrap();
    let code = repository(folder.path());
    let prefix = format!("file://{}/", folder.path().display());
    let api = Api::with(Flags { code_allowed_prefixes: Some(vec![prefix]), ..Flags::default() }).await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let password = person.file("password", PASSWORD);
    let work = folder.path().join("blog");
    let commit = |message: &str| {
        std::fs::write(work.join("mu-plugins/hello.php"), format!("<?php // {message}")).unwrap();
        git(&work, &["commit", "--quiet", "--all", "--message", message]);
    };
    let released = async |arguments: &[&str]| {
        let site = person.run(&[arguments, &["--wait", "-o", "json"]].concat()).await.is(0).json();
        let code = site["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "CodeReady");
        assert_eq!(code.unwrap()["message"], site["release"]["digest"], "served");
        site["release"]["revision"].as_str().unwrap().to_owned()
    };
    let create =
        ["sites", "create", "blog", "--code", &code, "--ref", "main", "--admin-password-file", &password];
    let first = released(&create).await;
    commit("second");
    let second = released(&["sites", "deploy", "blog"]).await;
    git(&work, &["tag", "v1", &first]);
    let tagged = released(&["sites", "deploy", "blog", "--ref", "v1"]).await;
    assert_eq!((second != first, &tagged), (true, &first));
    let back = ["sites", "rollback", "blog", "--dry-run"];
    person.run(&back).await.is(0).shows(&["dry run: nothing was changed"]);
    assert_eq!(released(&["sites", "rollback", "blog"]).await, second);
    let table = person.run(&["sites", "releases", "blog"]).await.is(0);
    table.shows(&[&first, &second, "serving"]);
    let listed = person.run(&["sites", "releases", "blog", "-o", "json"]).await.is(0).json();
    let items = listed["items"].as_array().unwrap();
    let named = items.iter().find(|one| one["revision"] == first.as_str()).unwrap()["id"].as_str().unwrap();
    assert_eq!(released(&["sites", "rollback", "blog", "--release", named]).await, first);
    commit("third");
    git(&work, &["tag", "--force", "v1"]);
    let moved = released(&["sites", "deploy", "blog", "--ref", "v1"]).await;
    assert!(moved != first && moved != second, "the same words, and other code behind them");
}

#[tokio::test]
async fn code_that_never_comes_is_not_waited_for_beyond_the_patience() {
    let folder = TempDir::new().unwrap();
    let prefix = format!("file://{}/", folder.path().display());
    let api =
        Api::with(Flags { code_allowed_prefixes: Some(vec![prefix.clone()]), ..Flags::default() }).await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let password = person.file("password", PASSWORD);
    let nothing = format!("{prefix}nothing");
    let create = ["sites", "create", "blog", "--code", &nothing, "--admin-password-file", &password];
    let ran = person.run(&[&create[..], &["--wait", "--timeout", "0s"]].concat()).await.is(5);
    ran.says(&["error: blog is not done after 0 s", "wpaas sites watch blog"]);
}

#[tokio::test]
async fn events_are_followed_as_they_happen() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let mut follower =
        person.command(&["events", "--in-space", "default", "--follow", "--after", "0", "-o", "json"]);
    let mut follower = follower.stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains("space_created"), "{first}");
    let password = person.file("password", PASSWORD);
    person.run(&["sites", "create", "blog", "--admin-password-file", &password]).await.is(0);
    let next = lines.next_line().await.unwrap().unwrap();
    assert!(next.contains("site_created"), "{next}");
    follower.kill().await.unwrap();
    let listed = person.run(&["events", "--site", "blog"]).await.is(0);
    listed.shows(&["KIND", "site_created", "user_"]);
    person.run(&["events", "--site", "blog", "--limit", "1"]).await.is(0).says(&["there are more: --after"]);
}
