//! `/orgs` and its aliases.

use serde_json::json;

use super::harness::Api;

#[tokio::test]
async fn the_default_org_is_made_by_the_first_who_looks() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let listed = api.get(&format!("/orgs/{cid}"), &api.operator).await.is(200).body;
    assert_eq!(listed["items"][0]["name"], "default");
    let named = api.get(&format!("/orgs?cid={cid}&name=default"), &api.operator).await.is(200).body;
    assert_eq!(named["items"], listed["items"]);
    let one = api.get(&format!("/orgs/{cid}/default"), &api.operator).await.is(200).body;
    assert_eq!(one, listed["items"][0]);
    api.delete(&format!("/orgs/{cid}/default"), &api.operator).await.is_problem(409, "default_org");
    api.get("/orgs/zzz/default", &api.operator).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn an_org_is_made_changed_and_deleted_by_each_of_its_names() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    for (root, name) in [("/orgs", "one"), ("/org", "two"), ("/projects", "three")] {
        let body = json!({"cid": cid, "name": name, "quota": {"sites": 5}, "spaces": ["team"]});
        let made = api.post(root, &api.operator, body).await.is(201).body;
        let path = format!("{root}/{cid}/{name}");
        assert_eq!(api.get(&path, &api.operator).await.is(200).body, made);
        let change = json!({"cid": cid, "name": name, "description": "ours", "quotas": {"sites": 6}});
        let changed = api.put(root, &api.operator, change).await.is(200).body;
        assert_eq!((&changed["description"], &changed["quota"]["sites"]), (&"ours".into(), &6.into()));
        let changed = api.put(&path, &api.operator, json!({"description": "mine"})).await.is(200).body;
        assert_eq!((&changed["description"], &changed["quota"]["sites"]), (&"mine".into(), &6.into()));
        api.delete(&path, &api.operator).await.is_problem(409, "not_empty");
        api.delete(&format!("{path}?recursive=true"), &api.operator).await.is(202);
        api.get(&path, &api.operator).await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_org_needs_a_customer_and_a_free_name() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let answer = api.post("/orgs", &api.operator, json!({"name": "one"})).await;
    assert_eq!(answer.is_problem(422, "invalid").body["field"], "cid");
    let body = json!({"cid": cid, "name": "one"});
    api.post("/orgs", &api.operator, body.clone()).await.is(201);
    api.post("/orgs", &api.operator, body).await.is_problem(409, "org_name_taken");
    let answer = api.put(&format!("/orgs/{cid}/one"), &api.operator, json!({"name": "two"})).await;
    assert_eq!(answer.is_problem(400, "path_body_mismatch").body["field"], "name");
}
