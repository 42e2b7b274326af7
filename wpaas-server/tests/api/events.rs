//! `/events`.

use futures::StreamExt;
use reqwest::Method;

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
    let request = request.header("accept", "text/event-stream").header("last-event-id", "1");
    let mut stream = request.send().await.unwrap().bytes_stream();
    api.get(&format!("/orgs/{cid}/default"), &api.operator).await.is(200);
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("event: org_created") && text.contains("id: 2"), "{text}");
}
