use super::{NOW, Page, Record, Store, Violation, Write, at, done, violation, write};
use crate::id::WebhookId;
use crate::store::{EventKind, StoredWebhook};
use crate::webhook::{Attempt, Delivery, FormerKey, Reply, Webhook};

fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::new(),
        url: "https://ops.example/hook".to_owned(),
        description: "on call".to_owned(),
        kinds: vec![EventKind::SiteCreated, EventKind::ReleaseFailed],
        enabled: false,
        disabled_reason: Some("gone".to_owned()),
        key: vec![1, 0, 255],
        former: Some(FormerKey { key: vec![2], until: at(60) }),
        created_at: NOW,
        version: 1,
    }
}

fn delivery(webhook: &Webhook) -> Delivery {
    Delivery {
        failures: 3,
        failing_since: Some(NOW),
        next_at: Some(at(5)),
        attempts: vec![
            Attempt { at: NOW, seq: 8, status: Some(500), error: None },
            Attempt { at: at(1), seq: 8, status: None, error: Some("refused".to_owned()) },
        ],
        ..Delivery::after(webhook.id, 7)
    }
}

/// One webhook.
pub(super) fn filling() -> Vec<Write> {
    let webhook = webhook();
    let delivery = delivery(&webhook);
    vec![Write::InsertWebhook(webhook, delivery)]
}

pub(super) async fn a_webhook_and_its_delivery_have_versions_of_their_own(store: &dyn Store) {
    let first = webhook();
    let (id, begun) = (first.id, delivery(&first));
    let insert = || write(Write::InsertWebhook(first.clone(), begun.clone()));
    done(store, insert()).await;
    assert_eq!(violation(store, insert()).await, Violation::Present(Record::Webhook(id)));
    let stored = StoredWebhook { webhook: first.clone(), delivery: begun.clone() };
    assert_eq!(store.webhook(id).await.expect("read"), Some(stored));
    assert_eq!(store.webhook(WebhookId::new()).await.expect("read"), None);

    let (moved, _) = begun.answered(8, &Reply::Status { status: 200, retry_after: None }, NOW, 1.0);
    done(store, write(Write::UpdateDelivery(moved.clone()))).await;
    let late = write(Write::UpdateDelivery(begun.moved_to(1)));
    let found = Violation::Version { record: Record::Delivery(id), found: Some(2) };
    assert_eq!(violation(store, late).await, found);
    let changed = Webhook { enabled: true, disabled_reason: None, former: None, version: 2, ..first };
    done(store, write(Write::UpdateWebhook(changed.clone()))).await;
    let found = Violation::Version { record: Record::Webhook(id), found: Some(2) };
    assert_eq!(violation(store, write(Write::UpdateWebhook(changed.clone()))).await, found);
    let stored = StoredWebhook { webhook: changed, delivery: moved };
    assert_eq!(store.webhook(id).await.expect("read"), Some(stored.clone()));

    let other = webhook();
    done(store, write(Write::InsertWebhook(other.clone(), delivery(&other)))).await;
    assert_eq!(store.webhooks(&Page::first(1)).await.expect("read"), [stored]);
    let rest = store.webhooks(&Page::after(id, 9)).await.expect("read");
    assert_eq!(rest.iter().map(|one| one.webhook.id).collect::<Vec<_>>(), [other.id]);
    done(store, write(Write::DeleteWebhook(id, 2))).await;
    assert_eq!(store.webhook(id).await.expect("read"), None);
    let gone = write(Write::UpdateDelivery(begun));
    let found = Violation::Version { record: Record::Delivery(id), found: None };
    assert_eq!(violation(store, gone).await, found);
}
