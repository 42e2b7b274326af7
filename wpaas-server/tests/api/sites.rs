//! `/wpaas`.

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Api, send, site};

#[tokio::test]
async fn a_site_in_the_default_org_and_space_becomes_ready() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let made = api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    assert_eq!(made.header("location"), path);
    assert_eq!((&made.body["org"], &made.body["space"]), (&"default".into(), &"default".into()));
    assert_eq!(made.body["expected_num_instances"], 1);
    assert_eq!(
        (&made.body["simulated"], &made.body["features"]),
        (&true.into(), &json!({"autoscale": false}))
    );
    let whole = |site: &Value| is_ready(site) && site["actual"] == site["expected"];
    let ready = api.until(&path, &tenant.key, whole).await;
    assert_eq!(ready["num_instances"], 1);
    assert!(ready["status"]["url"].as_str().unwrap().starts_with("http://"), "{ready}");
    assert_eq!(ready["names"]["platform"], format!("blog.{}.www.wpaas.localhost", tenant.cid));
}

fn is_ready(site: &Value) -> bool {
    site["status"]["phase"] == "ready" && site["status"]["observed_generation"] == site["generation"]
}

#[tokio::test]
async fn a_site_is_listed_changed_deleted_and_restored() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let all = format!("/wpaas/{}/default", tenant.cid);
    let mut body = site("blog");
    body["labels"] = json!({"team": "a"});
    api.post(&all, &tenant.key, body).await.is(202);
    api.post(&all, &tenant.key, site("shop")).await.is(202);
    api.post(&all, &tenant.key, site("shop")).await.is_problem(409, "site_name_taken");
    for (query, names) in [
        ("", json!(["blog", "shop"])),
        ("?name=shop", json!(["shop"])),
        ("?label=team=a", json!(["blog"])),
        ("?label=team", json!(["blog"])),
        ("?status=deleting", json!([])),
    ] {
        let listed = api.get(&format!("{all}{query}"), &tenant.key).await.is(200).body;
        let found: Vec<_> = listed["items"].as_array().unwrap().iter().map(|site| &site["name"]).collect();
        assert_eq!(json!(found), names, "{query}");
    }
    let one = format!("{all}/blog");
    let changed = api.put(&one, &tenant.key, json!({"num_instances": 2})).await.is(202);
    assert_eq!((&changed.body["expected_num_instances"], changed.header("etag")), (&2.into(), "\"2\""));
    let gone = api.delete(&one, &tenant.key).await.is(202).body;
    assert_eq!(gone["lifecycle"]["state"], "deleting");
    api.post(&all, &tenant.key, site("blog")).await.is_problem(409, "name_in_deletion");
    api.post(&format!("{one}/restore"), &tenant.key, json!({})).await.is(202);
    api.until(&one, &tenant.key, is_ready).await;
}

#[tokio::test]
async fn a_site_deleted_without_a_grace_goes_away() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    api.until(&path, &tenant.key, is_ready).await;
    api.delete(&format!("{path}?grace=0"), &tenant.key).await.is(202);
    api.until(&path, &tenant.key, |answer| answer["code"] == "not_found").await;
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
}

#[tokio::test]
async fn another_org_is_named_by_path_query_or_body() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let cid = &tenant.cid;
    api.post("/orgs", &api.operator, json!({"cid": cid, "name": "lab"})).await.is(201);
    let long = format!("/orgs/{cid}/lab/spaces/default/wpaas");
    let made = api.post(&long, &api.operator, site("one")).await.is(202);
    assert_eq!(made.header("location"), format!("{long}/one"));
    api.post(&format!("/wpaas/{cid}/default?org=lab"), &api.operator, site("two")).await.is(202);
    let mut body = site("three");
    (body["org"], body["cid"]) = (json!("lab"), json!(cid));
    api.post("/wpaas", &api.operator, body.clone()).await.is(202);
    let listed = api.get(&long, &api.operator).await.is(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert_eq!(listed["items"][0]["names"]["platform"], format!("one.lab-{cid}.www.wpaas.localhost"));
    assert_eq!(
        api.get(&format!("/wpaas/{cid}/default/one?org=lab"), &api.operator).await.is(200).body["org"],
        "lab"
    );
    api.get(&format!("/wpaas/{cid}/default/one"), &api.operator).await.is_problem(404, "not_found");
    body["org"] = json!("other");
    let answer = api.post(&long, &api.operator, body).await;
    assert_eq!(answer.is_problem(400, "path_body_mismatch").body["field"], "org");
}

#[tokio::test]
async fn the_operator_must_say_whose_site_it_is() {
    let api = Api::start().await;
    let answer = api.post("/wpaas", &api.operator, site("blog")).await;
    assert_eq!(answer.is_problem(422, "invalid").body["field"], "cid");
}

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let all = format!("/wpaas/{}/default", tenant.cid);
    let dry = api.post(&format!("{all}?dry_run=true"), &tenant.key, site("blog")).await.is(200).body;
    assert_eq!(dry["dry_run"], true);
    assert!(dry["plan"]["text"].as_str().unwrap().contains("create network"), "{dry}");
    assert_eq!(api.get(&all, &tenant.key).await.is(200).body["items"], json!([]));
    api.post(&all, &tenant.key, site("blog")).await.is(202);
    let one = format!("{all}/blog");
    api.until(&one, &tenant.key, is_ready).await;
    let dry =
        api.put(&format!("{one}?dry_run=true"), &tenant.key, json!({"num_instances": 2})).await.is(200).body;
    assert!(dry["plan"]["text"].as_str().unwrap().contains("create wordpress-"), "{dry}");
    assert_eq!(api.get(&one, &tenant.key).await.body["expected_num_instances"], 1);
}

#[tokio::test]
async fn a_change_of_an_old_generation_is_refused() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    let tag = api.get(&path, &tenant.key).await.header("etag").to_owned();
    let put = |count: u8| {
        let request = api.request(Method::PUT, &path).bearer_auth(&tenant.key);
        send(request.header("if-match", &tag).json(&json!({"num_instances": count})))
    };
    put(2).await.is(202);
    put(3).await.is_problem(412, "version_mismatch");
}
