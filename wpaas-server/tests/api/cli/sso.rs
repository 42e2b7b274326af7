use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{Person, Ran, ran};
use crate::harness::Api;
use crate::sso::browser::{approve, begin, come_back};
use crate::sso::open_to;
use crate::sso::provider::Provider;

/// Runs it, and does in a browser what it asks for.
async fn with_browser(person: &Person, api: &Api, arguments: &[&str], subject: &str) -> Ran {
    let mut child = person.command(arguments).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("http") {
        line.clear();
        assert_ne!(told.read_line(&mut line).await.unwrap(), 0, "{:?}", ran(child, "").await);
    }
    let (_, path) = line.trim().split_once("//localhost:9").unwrap();
    let login = begin(api, path).await;
    let answer = come_back(api, &approve(&login, subject).await, login.kept()).await.is(303);
    let page = reqwest::get(answer.header("location")).await.unwrap();
    assert!(page.text().await.unwrap().contains("terminal"));
    let mut ran = ran(child, "").await;
    told.read_to_string(&mut ran.err).await.unwrap();
    ran
}

#[tokio::test]
async fn signing_in_with_a_browser() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "").await;
    let tenant = api.tenant("acme").await;
    provider.person("kim", json!({"email": "kim@example.com"})).await;
    let login = ["login", "--sso", "mock"];
    let newcomer = Person::of(&api);
    with_browser(&newcomer, &api, &login, "kim")
        .await
        .is(1)
        .says(&["kim@example.com is linked to nobody", "--link"]);
    assert!(!newcomer.kept().exists());

    let user = Person::with_key(&api, &tenant.key).await;
    let link = ["login", "--sso", "mock", "--link"];
    with_browser(&user, &api, &link, "kim").await.is(0).shows(&["kim@example.com signs you in from now on"]);
    with_browser(&user, &api, &link, "kim").await.is(1).says(&["signs somebody in already"]);
    let kept = std::fs::read_to_string(user.kept()).unwrap();
    assert!(kept.contains(&tenant.key), "the key stays");

    with_browser(&newcomer, &api, &login, "kim").await.is(0).shows(&["for customer acm"]);
    assert!(std::fs::read_to_string(newcomer.kept()).unwrap().contains("wps_"));
    newcomer.run(&["sites", "list"]).await.is(0);
    let listed = user.run(&["logins", "list"]).await.is(0).shows(&["mock", "kim@example.com"]);
    let id = listed.out.split_whitespace().find(|word| word.starts_with("login_")).unwrap();
    user.run(&["logins", "unlink", id, "--yes"]).await.is(0).shows(&["unlinked"]);
    newcomer.run(&["sites", "list"]).await.is(4);
    newcomer.run(&["login", "--sso", "nobody"]).await.is(2).says(&["no such provider, but mock"]);
    newcomer.run(&["login", "--link"]).await.is(2).says(&["--sso"]);
}
