//! `/events`.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::{Api, site};

#[tokio::test]
async fn events_tell_who_did_what() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let listed = api.get(&format!("/events?cid={}", tenant.cid), &api.operator).await.is(200).body;
    let kinds: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[0], "customer_registered");
    assert!(kinds.contains(&"site_created"), "{kinds:?}");
    let other = api.tenant("blum").await;
    api.get(&format!("/events?cid={}", tenant.cid), &other.key).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_event_that_its_reader_names() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let request = api.request(Method::GET, &format!("/events?cid={cid}")).bearer_auth(&api.operator);
    let first = super::webhooks::last(&api).await;
    let request = request.header("accept", "text/event-stream").header("last-event-id", first.to_string());
    let mut stream = request.send().await.unwrap().bytes_stream();
    api.get(&format!("/orgs/{cid}/default"), &api.operator).await.is(200);
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("event: org_created") && text.contains(&format!("id: {}", first + 1)), "{text}");
}

/// All that a stream tells until it ends, once something has happened.
async fn told(stream: reqwest::Response) -> String {
    let mut text = String::new();
    let mut stream = stream.bytes_stream();
    while let Some(piece) = stream.next().await {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn a_stream_ends_for_whom_may_not_read_any_more() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let (cid, operator) = (&tenant.cid, &api.operator);
    let site = api.post("/wpaas", &tenant.key, site("blog")).await.is(202).body;
    let keys = format!("/customers/{cid}/keys");
    let key = api.post(&keys, operator, json!({})).await.is(201).body;
    let follow = async |key: &str, of: &str| {
        let request = api.request(Method::GET, &format!("/events?cid={cid}{of}")).bearer_auth(key);
        let stream = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(stream.status(), 200);
        stream
    };
    let of_customer = follow(key["key"].as_str().unwrap(), "").await;
    let of_site = follow(&tenant.key, &format!("&site_id={}", site["id"].as_str().unwrap())).await;
    api.delete(&format!("{keys}/{}", key["id"].as_str().unwrap()), operator).await.is(200);
    api.put(&format!("/users/{cid}/dev"), operator, json!({"enabled": false})).await.is(200);
    let path = format!("/wpaas/{cid}/default/blog");
    api.put(&path, operator, json!({"title": "Unheard of"})).await.is(202);
    for stream in [of_customer, of_site] {
        let told = told(stream).await;
        assert!(!told.contains("site_updated"), "{told}");
    }
}

#[tokio::test]
async fn events_are_found_by_kind_person_and_time() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    let asked = async |query: &str| -> Vec<Value> {
        let listed = api.get(&format!("/events?{query}"), &api.operator).await.is(200).body;
        listed["items"].as_array().unwrap().clone()
    };
    let created = asked("kind=site_created").await;
    assert_eq!(created.len(), 1, "{created:?}");
    let (user, at) = (created[0]["who"]["id"].as_str().unwrap(), created[0]["at"].as_str().unwrap());
    let by_user = asked(&format!("who={user}&cid={}", tenant.cid)).await;
    assert!(by_user.contains(&created[0]) && by_user.iter().all(|event| event["who"]["id"] == user));
    let by_operator = asked("who=operator").await;
    assert!(by_operator.iter().any(|event| event["kind"] == "customer_registered"));
    assert!(by_operator.iter().all(|event| event["who"]["kind"] == "operator"), "{by_operator:?}");
    let since = asked(&format!("since={at}")).await;
    assert_eq!(since[0], created[0], "the customer was registered before");
    assert_eq!(asked(&format!("kind=customer_registered&since={at}")).await, [] as [Value; 0]);
    assert_eq!(asked("since=2999-12-31T23:59:59Z").await, [] as [Value; 0]);
    for (query, field) in [("kind=nothing", "kind"), ("who=No%20One", "who"), ("since=yesterday", "since")] {
        let refused = api.get(&format!("/events?{query}"), &api.operator).await;
        assert_eq!(refused.is_problem(400, "invalid_query").body["field"], field);
    }
}

#[tokio::test]
async fn a_page_says_whether_there_is_another() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    api.get(&format!("/orgs/{cid}/default"), &api.operator).await.is(200);
    let all = api.get(&format!("/events?cid={cid}"), &api.operator).await.is(200).body;
    let all = all["items"].as_array().unwrap();
    assert!(all.len() > 1, "{all:?}");
    let page =
        async |more: &str| api.get(&format!("/events?cid={cid}&{more}"), &api.operator).await.is(200).body;
    assert_eq!(
        page(&format!("limit={}", all.len())).await,
        json!({"items": all}),
        "exactly full, and the last"
    );
    let first = page(&format!("limit={}", all.len() - 1)).await;
    assert_eq!(first["next"], first["items"][all.len() - 2]["seq"].to_string());
    let rest = page(&format!("cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(rest, json!({"items": [all[all.len() - 1]]}));
}

#[tokio::test]
async fn what_the_converger_does_to_a_site_that_was_up_is_told() {
    let api = Api::start().await;
    let tenant = api.tenant("acme").await;
    let path = format!("/wpaas/{}/default/blog", tenant.cid);
    api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
    api.until(&path, &tenant.key, |site| site["status"]["phase"] == "ready").await;
    api.put(&path, &tenant.key, json!({"num_instances": 2})).await.is(202);
    let events = format!("/events?cid={}&kind=site_steps_taken", tenant.cid);
    let told = api.until(&events, &api.operator, |told| told["items"] != json!([])).await;
    let detail = &told["items"][0]["detail"];
    assert_eq!(detail["generation"], 2);
    assert_eq!(detail["steps"][0]["found"], "is not there");
    assert_eq!(detail["steps"][0]["why"], "is wanted and not there");
    assert!(detail["steps"][0]["step"].as_str().unwrap().starts_with("create wordpress-"), "{told}");
}
