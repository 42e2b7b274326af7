use serde_json::{Value, json};

use crate::harness::{Api, Tenant, site};

/// A tenant whose only site has come, served and gone again.
async fn used(api: &Api) -> Tenant {
    let tenant = api.tenant("acme").await;
    let (cid, key) = (&tenant.cid, &tenant.key);
    let path = format!("/wpaas/{cid}/default/blog");
    api.post(&format!("/wpaas/{cid}/default"), key, site("blog")).await.is(202);
    api.until(&path, key, |site| site["num_instances"] == 1).await;
    api.delete(&format!("{path}?grace=0"), key).await.is(202);
    api.until(&path, key, |answer| answer["code"] == "not_found").await;
    tenant
}

fn seconds(items: &[Value], kind: &str) -> f64 {
    let of = items.iter().filter(|item| item["kind"] == kind);
    of.map(|item| item["seconds"].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn an_orgs_use_is_recorded_summed_and_paged() {
    let api = Api::start().await;
    let tenant = used(&api).await;
    let path = format!("/orgs/{}/default/usage", tenant.cid);
    let records = api.get(&path, &api.operator).await.is(200).body;
    let records = records["items"].as_array().unwrap();
    let part = |record: &Value| record["part"].as_str().unwrap().to_owned();
    let mut parts: Vec<String> = records.iter().map(part).collect();
    parts.sort();
    parts.dedup();
    assert_eq!(parts, ["database-0", "gateway-0", "volume-database-0", "volume-uploads", "wordpress-0"]);
    for record in records {
        assert_eq!((&record["cid"], &record["org_id"]), (&json!(tenant.cid), &json!(tenant.org)));
        assert!(record["from"].as_str() < record["to"].as_str(), "{record}");
        assert_eq!(record["gib"].is_u64(), record["kind"] == "storage", "{record}");
    }
    let sums = api.get(&format!("{path}/sums"), &api.operator).await.is(200).body;
    let sums = sums["items"].as_array().unwrap();
    assert_eq!(sums.len(), 4, "{sums:?}");
    for kind in ["wordpress", "database", "gateway", "storage"] {
        let (summed, added) = (seconds(sums, kind), seconds(records, kind));
        assert!(summed > 0.0 && (summed - added).abs() < 1e-6, "{kind}: {summed} and {added}");
    }

    let mut query = "?limit=2".to_owned();
    let mut paged = Vec::new();
    loop {
        let page = api.get(&format!("{path}{query}"), &api.operator).await.is(200).body;
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(paged, *records);
    let (cid, org) = (&tenant.cid, &tenant.org);
    let by_id = api.get(&format!("/usage?cid={cid}&org_id={org}"), &api.operator).await.is(200).body;
    assert_eq!(by_id["items"], json!(records));
    let none = api.get(&format!("{path}?to=2020-01-01T00:00:00Z"), &api.operator).await.is(200).body;
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn only_who_is_billed_or_audits_reads_it() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let (cid, org) = (&tenant.cid, &tenant.org);
    let path = format!("/orgs/{cid}/default/usage");
    api.get(&path, &tenant.key).await.is_problem(403, "forbidden");
    for (name, role) in [("bill", "billing"), ("audit", "auditor"), ("boss", "manager")] {
        let user = json!({
            "cid": cid, "name": name, "email": "a@example.com",
            "roles": [{"scope": "org", "org": org, "role": role}],
        });
        let user = api.post("/users", &api.operator, user).await.is(201);
        let key = user.body["api_key"]["key"].as_str().unwrap();
        api.get(&path, key).await.is(200);
        api.get("/usage", key).await.is_problem(403, "forbidden");
    }
    let other = api.tenant("blum").await;
    api.get(&path, &other.key).await.is_problem(404, "not_found");
    api.get(&format!("/usage?cid={cid}"), &other.key).await.is_problem(404, "not_found");
    api.get("/usage?cid=nobody", &api.operator).await.is_problem(404, "not_found");
    api.get("/events?cid=nobody", &api.operator).await.is_problem(404, "not_found");
    api.get(&format!("/events?cid={cid}&org_id={}", other.org), &api.operator)
        .await
        .is_problem(404, "not_found");
    let wrong = api.get(&format!("{path}?from=yesterday"), &api.operator).await;
    assert_eq!((wrong.status, &wrong.body["field"]), (400, &json!("from")), "{}", wrong.body);
    let wrong = api.get(&format!("{path}?org_id={}", other.org), &api.operator).await;
    assert_eq!((wrong.status, &wrong.body["field"]), (400, &json!("org_id")), "{}", wrong.body);
}
