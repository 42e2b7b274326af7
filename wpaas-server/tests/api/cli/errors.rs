use super::Person;
use crate::harness::{Api, site};
use crate::ports::free_port;

#[tokio::test]
async fn a_refusal_says_what_where_and_what_to_do() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let password = person.file("password", "a-fine-password");
    let create =
        async |name: &str| person.run(&["sites", "create", name, "--admin-password-file", &password]).await;
    create("Blog").await.is(2).says(&[
        "error: Unprocessable Entity: name: ",
        "help: ",
        "code: invalid, request ",
    ]);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    create("blog").await.is(6).says(&["error: Conflict: ", "code: site_name_taken"]);
    person.run(&["customers", "list"]).await.is(4).says(&["error: Forbidden", "help: ask"]);
    let ran = person.run(&["sites", "show", "nothing", "-o", "json"]).await.is(3);
    let problem: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&"not_found".into(), &404.into()));
}

#[tokio::test]
async fn what_can_not_be_meant_is_not_sent() {
    let api = Api::start().await;
    let person = Person::of(&api);
    person.run(&[]).await.is(2).says(&["Usage: wpaas"]);
    person.run(&["sites", "scale", "blog"]).await.is(2).says(&["--instances"]);
    person.run(&["sites", "create", "blog", "--cid", "acm"]).await.is(2).says(&["--admin-password-file"]);
    person.run(&["sites", "list", "--api", "ftp://x"]).await.is(2).says(&["must begin with http://"]);
    person.run(&["sites", "create", "blog", "--password", "hush"]).await.is(2);
    let operator = person.file("operator", &api.operator);
    person.run(&["orgs", "list", "--token-file", &operator]).await.is(2).says(&["say which customer: --cid"]);
    person.run(&["login", "--key-file", "/nowhere/key"]).await.is(1).says(&["/nowhere/key", "No such file"]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_from_one_that_is_none() {
    let api = Api::start().await;
    let mut person = Person::of(&api);
    person.address = format!("http://127.0.0.1:{}", free_port());
    person
        .run(&["sites", "list", "--cid", "acm"])
        .await
        .is(7)
        .says(&["Connection refused", "help: check --api"]);
    person.address = format!("http://{}/metrics", api.server.address());
    let ran = person.run(&["sites", "list", "--cid", "acm"]).await.is(3);
    assert!(ran.err.contains("error: Not Found"), "{}", ran.err);
}

#[tokio::test]
async fn help_and_completions_need_no_server() {
    let mut person = Person::of(&Api::start().await);
    person.address = "http://127.0.0.1:1".to_owned();
    for shell in ["bash", "zsh", "fish"] {
        person.run(&["completions", shell]).await.is(0).shows(&["wpaas", "admin-password-file"]);
    }
    person.run(&["--help"]).await.is(0).shows(&["Exit codes:", "3  not found", "sites", "wpaas login"]);
    person.run(&["sites", "create", "--help"]).await.is(0).shows(&["Examples:", "--admin-password-file"]);
    person.run(&["--version"]).await.is(0).shows(&[env!("CARGO_PKG_VERSION")]);
}
