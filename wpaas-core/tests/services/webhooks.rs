use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::service::{IfMatch, KeyedWebhook, NewWebhook, Page, WebhookUpdate};
use wpaas_core::store::{EventKind, EventScope, StoredWebhook, Who};
use wpaas_core::webhook::Reply;

use crate::{NOW, World, at, code, customer};

on_each_store! {
    it_tells_what_happens_after_it_was_made
    it_moves_only_as_it_was_read
    it_is_moved_by_one_of_many
    it_is_given_up_with_an_event_and_goes_on_where_it_was
    a_new_key_signs_beside_the_one_before_for_a_while
    only_the_operator_has_any
    there_are_so_many_and_no_more
}

const OK: Reply = Reply::Status { status: 200, retry_after: None };

fn new(kinds: Vec<EventKind>) -> NewWebhook {
    let url = "https://ops.example/hook".to_owned();
    NewWebhook { url, description: String::new(), kinds, enabled: true }
}

async fn made(world: &World, kinds: Vec<EventKind>) -> KeyedWebhook {
    world.create_webhook(&Actor::Operator, new(kinds), NOW).await.expect("made")
}

async fn read(world: &World, stored: &StoredWebhook) -> StoredWebhook {
    world.webhook(&Actor::Operator, stored.webhook.id).await.expect("read")
}

async fn register(world: &World, name: &str) {
    let new = customer(name, name);
    world.register_customer(Some(&Actor::Operator), new, NOW).await.expect("registers");
}

/// The numbers of all that happened.
async fn numbers(world: &World) -> Vec<u64> {
    let events = world.events(&Actor::Operator, &EventScope::All.into(), 0, 99).await.expect("read").items;
    events.iter().map(|event| event.seq).collect()
}

/// The numbers of what it has to tell.
async fn untold(world: &World, stored: &StoredWebhook) -> Vec<u64> {
    let untold = world.untold(&stored.webhook, stored.delivery.after).await.expect("read");
    untold.events.iter().map(|event| event.seq).collect()
}

async fn there_are_so_many_and_no_more(world: World) {
    let mut last = None;
    for _ in 0..50 {
        last = Some(made(&world, Vec::new()).await.stored.webhook.id);
    }
    let more = async || code(world.create_webhook(&Actor::Operator, new(Vec::new()), NOW).await);
    assert_eq!(more().await, "too_many_webhooks");
    world.delete_webhook(&Actor::Operator, last.expect("was made"), IfMatch::Any, NOW).await.expect("goes");
    assert_eq!(more().await, "ok");
}

async fn it_tells_what_happens_after_it_was_made(world: World) {
    register(&world, "first").await;
    let all = made(&world, Vec::new()).await.stored;
    let some = made(&world, vec![EventKind::WebhookCreated, EventKind::WebhookCreated]).await.stored;
    register(&world, "second").await;
    let numbers = numbers(&world).await;
    assert_eq!((untold(&world, &all).await, untold(&world, &some).await), (numbers[2..].to_vec(), vec![]));
    assert_eq!(some.webhook.kinds, [EventKind::WebhookCreated]);
    let asked = world.webhooks_to_tell().await.expect("read");
    assert_eq!(asked, [all.clone(), some.clone()]);

    let moved = world.record_reply(&all, numbers[2], &OK, NOW, 1.0).await.expect("kept").expect("moved");
    assert_eq!((untold(&world, &moved).await, read(&world, &all).await), (vec![numbers[3]], moved));
    let skipped = world.record_skipped(&some, numbers[3], NOW).await.expect("kept").expect("moved");
    assert_eq!((skipped.delivery.after, read(&world, &some).await), (numbers[3], skipped));

    let (id, from) = (some.webhook.id, numbers[1]);
    let back = world.replay_webhook(&Actor::Operator, id, from, at(1)).await.expect("moved");
    assert_eq!((back.delivery.after, untold(&world, &back).await), (from - 1, vec![from]));
    let last = world.last_event().await.expect("read");
    let onwards = world.replay_webhook(&Actor::Operator, id, last + 900, at(1)).await.expect("moved");
    assert_eq!(onwards.delivery.after, last, "what has not happened is not passed over");
}

async fn it_moves_only_as_it_was_read(world: World) {
    let first = made(&world, Vec::new()).await.stored;
    register(&world, "acme").await;
    let id = first.webhook.id;
    let moved = world.record_reply(&first, 2, &OK, NOW, 1.0).await.expect("kept");
    assert!(moved.is_some());
    assert_eq!(world.record_reply(&first, 2, &OK, NOW, 1.0).await.expect("not kept"), None);
    world.replay_webhook(&Actor::Operator, id, 1, NOW).await.expect("moved");
    assert_eq!(world.record_skipped(&moved.expect("moved"), 9, NOW).await.expect("not kept"), None);

    let failing = read(&world, &first).await;
    let none = Reply::None { why: "refused".to_owned() };
    let failing = world.record_reply(&failing, 1, &none, NOW, 1.0).await.expect("kept").expect("moved");
    let elsewhere = |url: &str| WebhookUpdate { url: Some(url.to_owned()), ..WebhookUpdate::default() };
    let update =
        async |url, if_match| world.update_webhook(&Actor::Operator, id, elsewhere(url), if_match, NOW).await;
    assert_eq!(code(update("https://10.0.0.1/", IfMatch::Any).await), "invalid");
    assert_eq!(code(update("https://ops.example/b", IfMatch::Version(2)).await), "version_mismatch");
    let same = update("https://ops.example/hook", IfMatch::Version(1)).await.expect("the same");
    assert_eq!(same, failing);
    let other = update("https://ops.example/b", IfMatch::Version(1)).await.expect("changed");
    assert_eq!((other.webhook.version, other.delivery.failures, other.delivery.next_at), (2, 0, None));
    assert_eq!(world.record_reply(&failing, 1, &OK, NOW, 1.0).await.expect("not kept"), None);

    world.delete_webhook(&Actor::Operator, id, IfMatch::Any, NOW).await.expect("deleted");
    assert_eq!(world.record_reply(&other, 1, &OK, NOW, 1.0).await.expect("not kept"), None);
    assert_eq!(code(world.webhook(&Actor::Operator, id).await), "not_found");
}

async fn it_is_moved_by_one_of_many(world: World) {
    let stored = made(&world, Vec::new()).await.stored;
    register(&world, "acme").await;
    let mut tellers = JoinSet::new();
    for _ in 0..64 {
        let (service, stored) = (world.service.clone(), stored.clone());
        tellers.spawn(async move { service.record_reply(&stored, 2, &OK, NOW, 1.0).await.expect("asked") });
    }
    let moved = tellers.join_all().await.into_iter().flatten().count();
    let kept = read(&world, &stored).await.delivery;
    assert_eq!((moved, kept.version, kept.attempts.len()), (1, 2, 1));
}

async fn it_is_given_up_with_an_event_and_goes_on_where_it_was(world: World) {
    let stored = made(&world, Vec::new()).await.stored;
    register(&world, "acme").await;
    let gone = Reply::Status { status: 410, retry_after: Some(Duration::from_secs(1)) };
    let acme = numbers(&world).await[1];
    let given_up = world.record_reply(&stored, acme, &gone, NOW, 1.0).await.expect("kept").expect("moved");
    let reason = "the receiver answered 410: it is gone";
    assert_eq!(
        (given_up.webhook.enabled, given_up.webhook.disabled_reason.as_deref()),
        (false, Some(reason))
    );
    assert_eq!(world.webhooks_to_tell().await.expect("read"), []);
    let events = world.events(&Actor::Operator, &EventScope::All.into(), acme, 9).await.expect("read").items;
    let told = &events[0].event;
    assert_eq!((told.kind, &told.who), (EventKind::WebhookDisabled, &Who::System));
    assert_eq!(told.detail, json!({ "reason": reason, "after": 0 }));

    let enable = WebhookUpdate { enabled: Some(true), ..WebhookUpdate::default() };
    let id = stored.webhook.id;
    let again =
        world.update_webhook(&Actor::Operator, id, enable, IfMatch::Any, at(1)).await.expect("enabled");
    assert_eq!((again.webhook.enabled, again.webhook.disabled_reason.clone()), (true, None));
    assert_eq!((again.delivery.failures, again.delivery.next_at), (0, None));
    assert_eq!(untold(&world, &again).await, [acme], "none of what is about itself");
}

async fn a_new_key_signs_beside_the_one_before_for_a_while(world: World) {
    let first = made(&world, Vec::new()).await;
    let id = first.stored.webhook.id;
    let second = world.renew_webhook_key(&Actor::Operator, id, NOW).await.expect("renewed");
    assert_ne!(first.secret, second.secret);
    let signatures = |stored: &StoredWebhook, now| {
        let signed = world.sign_message(&stored.webhook, 7, b"{}", now).expect("signed");
        assert_eq!(signed.id, format!("msg_{}_7", id.uuid().as_simple()));
        signed.signature.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let (old, both) = (signatures(&first.stored, NOW), signatures(&second.stored, NOW));
    assert_eq!((old.len(), both.len(), &both[1]), (1, 2, &old[0]));
    let over = world.settings().key_overlap.as_secs();
    assert_eq!(signatures(&second.stored, at(over)).len(), 1, "the old one has ended");
}

async fn only_the_operator_has_any(world: World) {
    let id = made(&world, Vec::new()).await.stored.webhook.id;
    let (_, owner) = world.acme().await;
    assert_eq!(code(world.create_webhook(&owner, new(Vec::new()), NOW).await), "forbidden");
    assert_eq!(code(world.webhook(&owner, id).await), "forbidden");
    assert_eq!(code(world.webhooks(&owner, Page::first(9)).await), "forbidden");
    let update = WebhookUpdate::default();
    assert_eq!(code(world.update_webhook(&owner, id, update, IfMatch::Any, NOW).await), "forbidden");
    assert_eq!(code(world.delete_webhook(&owner, id, IfMatch::Any, NOW).await), "forbidden");
    assert_eq!(code(world.renew_webhook_key(&owner, id, NOW).await), "forbidden");
    assert_eq!(code(world.replay_webhook(&owner, id, 1, NOW).await), "forbidden");
}
