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
        (&true.into(), &json!({"autoscale": false, "hsts": false}))
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
    assert_eq!(changed.body["expected_num_instances"], 2);
    assert!(changed.header("etag").starts_with("\"2."), "{:?}", changed.headers);
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

#[tokio::test]
async fn what_a_reader_has_already_is_not_sent_again() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    let made = api.post("/wpaas", &tenant.key, site("blog")).await.is(202).header("etag").to_owned();
    api.until(&path, &tenant.key, is_ready).await;
    let get = |path: &str, tags: String| {
        send(api.request(Method::GET, path).bearer_auth(&tenant.key).header("if-none-match", tags))
    };
    // The generation is the same, the status is not.
    let seen = get(&path, made).await.is(200);
    let tag = seen.header("etag").to_owned();
    for tags in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let same = get(&path, tags.clone()).await.is(304);
        assert_eq!((same.body, same.headers["etag"].to_str().unwrap()), (json!(""), &*tag), "{tags}");
    }
    api.put(&path, &tenant.key, json!({"num_instances": 2})).await.is(202);
    get(&path, tag).await.is(200);
    let space = format!("/spaces/{}/default", tenant.org);
    let tag = get(&space, "\"0\"".to_owned()).await.is(200).header("etag").to_owned();
    get(&space, tag).await.is(304);
}

#[tokio::test]
async fn every_condition_of_a_site_is_shown() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    let ready = api.until(&path, &tenant.key, is_ready).await;
    let conditions = ready["status"]["conditions"].as_array().unwrap();
    let status = |kind: &str| {
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        let found = found.unwrap_or_else(|| panic!("no {kind} in {ready}"));
        assert!(found["reason"].is_string() && found["message"].is_string() && found["since"].is_string());
        found["status"].as_str().unwrap().to_owned()
    };
    for (kind, expected) in [
        ("Ready", "True"),
        ("Progressing", "False"),
        ("Degraded", "False"),
        ("CodeReady", "True"),
        ("DatabaseReady", "True"),
        ("AddressReady", "True"),
        ("DnsReady", "Unknown"),
        ("DomainsReady", "True"),
        ("CertificateReady", "Unknown"),
        ("Suspended", "False"),
        ("Deleting", "False"),
    ] {
        assert_eq!(status(kind), expected, "{kind}");
    }
}

#[tokio::test]
async fn every_write_of_a_site_has_a_dry_run() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let mut body = site("blog");
    body["code"] = json!("https://example.invalid/blog.git");
    api.post("/wpaas", &tenant.key, body).await.is(202);
    let one = format!("/wpaas/{}/default/blog", tenant.cid);
    let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
    let generation = api.get(&one, &tenant.key).await.body["generation"].clone();
    for (method, path) in [(put, ""), (delete, ""), (post.clone(), "/refetch")] {
        let path = format!("{one}{path}?dry_run=true");
        let body = (method == Method::PUT).then(|| json!({"title": "New"}));
        let dry = api.call(method, &path, &tenant.key, body).await.is(200).body;
        assert_eq!(dry["dry_run"], true, "{path}");
        assert_ne!(dry["site"]["generation"], generation, "{path}");
        let now = api.get(&one, &tenant.key).await.body;
        assert_eq!((&now["generation"], &now["lifecycle"]["state"]), (&generation, &json!("live")), "{path}");
    }
    api.delete(&one, &tenant.key).await.is(202);
    let dry = api.call(post, &format!("{one}/restore?dry_run=true"), &tenant.key, None).await.is(200).body;
    assert_eq!(dry["site"]["lifecycle"]["state"], "live");
    assert_eq!(api.get(&one, &tenant.key).await.body["lifecycle"]["state"], "deleting");
}
