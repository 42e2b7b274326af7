//! Each field of `POST /wpaas`, wrong in turn: the answer names it, and nothing is stored.

use serde_json::{Value, json};

use super::harness::{Api, site};

fn wrong() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("cid", json!(5), "cid"),
        ("cid", json!("A B"), "cid"),
        ("org", json!("A B"), "org"),
        ("space", json!(true), "space"),
        ("name", json!("UPPER"), "name"),
        ("name", json!(7), "name"),
        ("name", json!("x".repeat(64)), "name"),
        ("title", json!(5), "title"),
        ("admin_username", json!("a b"), "admin_username"),
        ("admin_email", json!("nobody"), "admin_email"),
        ("admin_password", json!(12_345_678), "admin_password"),
        ("admin_password", json!(""), "admin_password"),
        ("admin_password", Value::Null, "admin_password"),
        ("code", json!(5), "code"),
        ("code", json!({}), "code"),
        ("code", json!("https://user:secret@example.com/x.git"), "code"),
        ("code", json!("file:///etc"), "code"),
        ("code", json!({"git": "https://user:secret@example.com/x.git"}), "code.git"),
        ("code", json!({"git": "https://example.com/x.git", "ref": "-x"}), "code.ref"),
        ("code", json!({"git": "https://example.com/x.git", "path": "../.."}), "code.path"),
        ("code", json!({"git": "https://example.com/x.git", "key": "k"}), "code.key"),
        ("code", json!({"git": "https://example.com/x.git", "branch": "k"}), "code.branch"),
        ("code", json!({"git": "https://example.com/x.git", "credential": 5}), "code.credential"),
        ("code", json!({"s3": "Bad_Bucket"}), "code.s3"),
        ("code", json!({"s3": "bucket", "endpoint": "http://10.0.0.1"}), "code.endpoint"),
        ("code", json!({"s3": "bucket", "region": "no where"}), "code.region"),
        ("num_instances", json!(-1), "num_instances"),
        ("num_instances", json!(1.5), "num_instances"),
        ("num_instances", json!("2"), "num_instances"),
        ("num_instances", json!(60_000), "num_instances"),
        ("database", json!(3), "database"),
        ("database", json!([3]), "database"),
        ("database", json!({"num_instances": 2}), "database.num_instances"),
        ("database", json!({"nodes": 3}), "database.nodes"),
        ("features", json!(true), "features"),
        ("features", json!([true]), "features"),
        ("features", json!({"autoscale": "yes"}), "features.autoscale"),
        ("features", json!({"autoscale": 4}), "features.autoscale"),
        ("features", json!({"autoscale": [1, 4, 4]}), "features.autoscale"),
        ("features", json!({"autoscale": {"min": 1}}), "features.autoscale"),
        ("features", json!({"autoscale": {"min": 1, "max": "4"}}), "features.autoscale.max"),
        ("features", json!({"autoscale": {"min": 1, "max": 4, "most": 4}}), "features.autoscale.most"),
        ("features", json!({"autoscale": {"min": 0, "max": 4}}), "features.autoscale.min"),
        ("features", json!({"autoscale": {"min": 4, "max": 3}}), "features.autoscale.min"),
        ("features", json!({"autoscale": {"min": 1, "max": 0}}), "features.autoscale.max"),
        ("features", json!({"autoscale": {"min": 1, "max": 21}}), "features.autoscale.max"),
        ("features", json!({"autoscale": {"min": 1, "max": 4, "target": 0}}), "features.autoscale.target"),
        ("features", json!({"autoscale": {"min": 1, "max": 4, "target": 33}}), "features.autoscale.target"),
        ("features", json!({"blah": true}), "features.blah"),
        ("features", json!({"hsts": "1d"}), "features.hsts"),
        ("features", json!({"hsts": 300}), "features.hsts"),
        ("features", json!({"hsts": {}}), "features.hsts"),
        ("features", json!({"hsts": {"max_age": -1}}), "features.hsts.max_age"),
        ("features", json!({"hsts": {"max_age": 63_072_001}}), "features.hsts.max_age"),
        ("features", json!({"hsts": {"max_age": 1, "preload": true}}), "features.hsts.preload"),
        ("domains", json!("www.example.com"), "domains"),
        ("domains", json!(["www.example.com", "10.0.0.1"]), "domains[1]"),
        ("primary_domain", json!("not a host"), "primary_domain"),
        ("primary_domain", json!("www.example.com"), "primary_domain"),
        ("address", json!("public"), "address"),
        ("routes", json!(5), "routes"),
        ("routes", json!({"UPPER": {}}), "routes.UPPER"),
        ("routes", json!({"beta": 5}), "routes.beta"),
        ("routes", json!({"beta": {"release": "newest"}}), "routes.beta.release"),
        ("title", json!("x".repeat(2_000)), "title"),
        ("labels", json!([]), "labels"),
        ("labels", json!({"team": 5}), "labels.team"),
        ("deletion_protection", json!("no"), "deletion_protection"),
        ("nmae", json!("blog"), "nmae"),
    ]
}

#[tokio::test]
async fn a_wrong_field_is_named_and_nothing_is_stored() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default", tenant.cid);
    for (field, value, named) in wrong() {
        let mut body = site("blog");
        body[field] = value.clone();
        let answer = api.post(&path, &tenant.key, body).await;
        assert!(matches!(answer.status, 400 | 422), "{field} = {value}: {} {}", answer.status, answer.body);
        assert_eq!(answer.body["field"], named, "{field} = {value}: {}", answer.body);
        assert!(!answer.body.to_string().contains("secret@"), "{}", answer.body);
    }
    for field in ["name", "admin_password"] {
        let mut body = site("blog");
        body.as_object_mut().unwrap().remove(field);
        let answer = api.post(&path, &tenant.key, body).await;
        answer.is_problem(422, "invalid");
        let told = format!("{} {}", answer.body["field"], answer.body["detail"]);
        assert!(told.contains(field), "{}", answer.body);
    }
    assert_eq!(api.get(&path, &tenant.key).await.is(200).body["items"], json!([]));
}
