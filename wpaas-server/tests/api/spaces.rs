//! `/spaces`.

use serde_json::json;

use super::harness::{Api, site};

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
    let other = api.tenant("blum").await.org;
    let both = api.get(&format!("/spaces/{org}?org_id={other}"), &api.operator).await;
    assert_eq!(both.is_problem(400, "path_query_mismatch").body["field"], "org_id");
    let both = api.get(&format!("/spaces/{cid}?cid=blu"), &api.operator).await;
    assert_eq!(both.is_problem(400, "path_query_mismatch").body["field"], "cid");
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

#[tokio::test]
async fn a_space_that_is_not_empty_says_what_is_inside() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let (cid, org) = (&tenant.cid, &tenant.org);
    api.post("/spaces", &api.operator, json!({"org_id": org, "name": "team"})).await.is(201);
    for space in ["team", "default"] {
        let (sites, path) = (format!("/wpaas/{cid}/{space}"), format!("/spaces/{org}/{space}"));
        api.post(&sites, &api.operator, site(&format!("blog-{space}"))).await.is(202);
        let refused = api.delete(&path, &api.operator).await;
        if space == "team" {
            let detail = refused.is_problem(409, "not_empty").body["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("site blog-team"), "{detail}");
        } else {
            refused.is_problem(409, "default_space");
        }
        api.delete(&format!("{path}?recursive=true"), &api.operator).await.is(202);
    }
    api.get(&format!("/spaces/{org}/team"), &api.operator).await.is_problem(404, "not_found");
    // The default space is emptied, and stays.
    api.get(&format!("/spaces/{org}/default"), &api.operator).await.is(200);
    let listed = api.get(&format!("/wpaas/{cid}/default"), &api.operator).await.is(200).body;
    let live = listed["items"].as_array().unwrap().iter().any(|site| site["lifecycle"]["state"] == "live");
    assert!(!live, "{listed}");
    // So is the default org.
    let other = json!({"org_id": org, "name": "other"});
    api.post("/spaces", &api.operator, other).await.is(201);
    api.delete(&format!("/orgs/{cid}/default?recursive=true"), &api.operator).await.is(202);
    api.get(&format!("/orgs/{cid}/default"), &api.operator).await.is(200);
    api.get(&format!("/spaces/{org}/other"), &api.operator).await.is_problem(404, "not_found");
}

/// Each quota of an org and of a space, and what passes it.
#[tokio::test]
async fn no_quota_is_passed() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let sites = format!("/wpaas/{}/default", tenant.cid);
    let (org, space) = (format!("/orgs/{}/default", tenant.cid), format!("/spaces/{}/default", tenant.org));
    let with = |name: &str, nodes: u8| {
        let mut body = site(name);
        body["database"] = json!({"num_instances": nodes});
        body
    };
    api.post(&sites, &tenant.key, with("blog", 1)).await.is(202);
    for path in [&org, &space] {
        for (quota, body) in [
            (json!({"sites": 1}), with("shop", 1)),
            (json!({"wordpress_instances": 1}), with("shop", 1)),
            (json!({"database_instances": 3}), with("shop", 3)),
            (json!({"storage_gib": 39}), with("shop", 1)),
        ] {
            api.put(path, &api.operator, json!({"quota": quota})).await.is(200);
            let refused = api.post(&sites, &tenant.key, body).await;
            let detail =
                refused.is_problem(409, "quota_exceeded").body["detail"].as_str().unwrap().to_owned();
            let what = quota.as_object().unwrap().keys().next().unwrap();
            assert!(detail.contains(what.as_str()), "{path} {quota}: {detail}");
        }
        let more = json!({"database_instances": 2, "storage_gib": 59});
        api.put(path, &api.operator, json!({"quota": more})).await.is(200);
        let grown = json!({"database": {"num_instances": 3}});
        let grown = api.put(&format!("{sites}/blog"), &tenant.key, grown).await;
        grown.is_problem(409, "quota_exceeded");
        api.put(path, &api.operator, json!({"quota": {}})).await.is(200);
    }
    api.post(&sites, &tenant.key, with("shop", 3)).await.is(202);
}
