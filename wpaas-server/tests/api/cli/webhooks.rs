use super::Person;
use crate::harness::Api;
use crate::webhooks::{Receiver, last};

#[tokio::test]
async fn a_webhook_from_its_making_to_its_end() {
    let mut receiver = Receiver::start().await;
    let api = Api::with(receiver.flags()).await;
    let operator = Person::with_key(&api, &api.operator).await;
    operator.run(&["webhooks", "list"]).await.is(0).says(&["nothing"]);
    let file = operator.home.path().join("hook.secret");
    let create = ["webhooks", "create", &receiver.address, "--kind", "customer_registered"];
    let create = [&create[..], &["--save-secret", file.to_str().unwrap()]].concat();
    let made = operator.run(&create).await.is(0).shows(&["customer_registered", &receiver.address]);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(secret.starts_with("whsec_") && !made.out.contains("whsec_"), "{}", made.out);
    let list = operator.run(&["webhooks", "list", "-o", "json"]).await.is(0).json();
    let id = list[0]["id"].as_str().unwrap();

    api.customer("acme").await;
    let told = receiver.next().await;
    let path = format!("/webhooks/{id}");
    api.until(&path, &api.operator, |shown| shown["delivery"]["after"] == told.seq()).await;
    operator.run(&["webhooks", "show", id]).await.is(0).shows(&["STATUS", "204"]);
    let disable = ["webhooks", "update", id, "--all-kinds", "--enabled", "false", "--description", "on call"];
    operator.run(&disable).await.is(0).shows(&["enabled      false", "on call"]);
    let shown = operator.run(&["webhooks", "show", id, "-o", "json"]).await.is(0).json();
    assert_eq!(shown["kinds"], serde_json::json!([]));
    operator.run(&["webhooks", "renew", id]).await.is(0).shows(&["whsec_"]);
    let from = last(&api).await.to_string();
    operator.run(&["webhooks", "replay", id, "--from", &from]).await.is(0).shows(&[id]);
    operator.run(&["webhooks", "delete", id]).await.is(2).says(&["--yes"]);
    operator.run(&["webhooks", "delete", id, "--yes"]).await.is(0);
    operator.run(&["webhooks", "show", id]).await.is(3).says(&["no such webhook"]);
    operator.run(&["webhooks", "create", "http://10.0.0.1/"]).await.says(&["url", "https://"]);
}
