//! `/spaces`.

use serde_json::json;

use super::harness::Api;

#[tokio::test]
async fn the_default_space_is_found_by_org_and_by_customer() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let by_customer = api.get(&format!("/spaces/{cid}/default"), &api.operator).await.is(200).body;
    let org = by_customer["org_id"].as_str().unwrap();
    assert_eq!(api.get(&format!("/spaces/{org}/default"), &api.operator).await.is(200).body, by_customer);
    for path in [format!("/spaces/{cid}"), format!("/spaces/{org}"), format!("/spaces?cid={cid}")] {
        let listed = api.get(&path, &api.operator).await.is(200).body;
        assert_eq!(listed["items"], json!([by_customer]), "{path}");
    }
    let named = format!("/spaces?cid={cid}&org_id={org}&name=default");
    assert_eq!(api.get(&named, &api.operator).await.is(200).body["items"], json!([by_customer]));
    api.delete(&format!("/spaces/{org}/default"), &api.operator).await.is_problem(409, "default_space");
}

#[tokio::test]
async fn a_space_is_made_changed_and_deleted() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let body = json!({"org_id": tenant.org, "name": "team", "description": "ours"});
    let made = api.post("/spaces", &api.operator, body.clone()).await.is(201);
    assert_eq!(made.header("location"), format!("/spaces/{}/team", tenant.org));
    api.post("/spaces", &api.operator, body).await.is_problem(409, "space_name_taken");
    let path = format!("/spaces/{}/team", tenant.org);
    let changed = api.put(&path, &api.operator, json!({"quota": {"sites": 1}})).await.is(200).body;
    assert_eq!((&changed["quota"]["sites"], &changed["description"]), (&1.into(), &"ours".into()));
    api.delete(&path, &api.operator).await.is(204);
    api.get(&path, &api.operator).await.is_problem(404, "not_found");
}
