use std::sync::Arc;

use jiff::Timestamp;
use wpaas_core::account::Version;
use wpaas_core::service::{ServiceError, Untold};
use wpaas_core::store::{Event, StoredWebhook};
use wpaas_core::webhook::Reply;

use super::Shared;
use crate::dto::webhook::WebhookMessage;
use crate::problem::chain;

/// Events that are passed over are kept in mind; so many are kept for good.
const MANY: u64 = 1000;

/// What a webhook's turn came to.
#[derive(Debug)]
pub struct Ended {
    /// To which event nothing is left to tell, by which version of the delivery; `None`: to be looked at anew.
    pub read_to: Option<(Version, u64)>,
}

/// Tells what of some events is to be told, until one is not taken.
pub async fn take(shared: Arc<Shared>, stored: StoredWebhook, after: u64) -> Ended {
    let id = stored.webhook.id;
    match tell(&shared, stored, after).await {
        Ok(read_to) => Ended { read_to },
        Err(error) => {
            tracing::error!(webhook = %id, error = chain(&error), "a webhook can't be told now");
            // The store, or the keys: not sooner than it would be after an event more.
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            Ended { read_to: None }
        }
    }
}

async fn tell(
    shared: &Shared,
    mut stored: StoredWebhook,
    after: u64,
) -> Result<Option<(Version, u64)>, ServiceError> {
    let untold = some(shared, &stored, after).await?;
    for event in untold.events {
        if !shared.tenure.leads() {
            return Ok(None);
        }
        let seq = event.seq;
        let reply = send(shared, &stored, event).await?;
        let now = Timestamp::now();
        let Some(moved) = shared.service.record_reply(&stored, seq, &reply, now, rand::random()).await?
        else {
            return Ok(None);
        };
        stored = moved;
        if stored.delivery.after < seq {
            said(&stored, seq);
            return Ok(None);
        }
    }
    if untold.read_to.saturating_sub(stored.delivery.after) >= MANY {
        let kept = shared.service.record_skipped(&stored, untold.read_to, Timestamp::now()).await?;
        return Ok(kept.map(|kept| (kept.delivery.version, untold.read_to)));
    }
    Ok(Some((stored.delivery.version, untold.read_to)))
}

/// The next events that there are to tell; what is not is passed over.
async fn some(shared: &Shared, stored: &StoredWebhook, after: u64) -> Result<Untold, ServiceError> {
    let mut untold = Untold { events: Vec::new(), read_to: after };
    loop {
        let before = untold.read_to;
        untold = shared.service.untold(&stored.webhook, before).await?;
        if untold.read_to == before || !untold.events.is_empty() {
            return Ok(untold);
        }
    }
}

async fn send(shared: &Shared, stored: &StoredWebhook, event: Event) -> Result<Reply, ServiceError> {
    let seq = event.seq;
    // Maps with texts as keys, numbers and texts: always JSON.
    let body = serde_json::to_vec(&WebhookMessage::from(event)).unwrap_or_default();
    let signed = shared.service.sign_message(&stored.webhook, seq, &body, Timestamp::now())?;
    Ok(shared.post.send(&stored.webhook.url, &signed, body).await)
}

/// For the operator, who reads the rest at the webhook.
fn said(stored: &StoredWebhook, seq: u64) {
    let StoredWebhook { webhook, delivery } = stored;
    if webhook.enabled {
        tracing::warn!(webhook = %webhook.id, seq, failures = delivery.failures, "a webhook took no event");
    } else {
        tracing::error!(webhook = %webhook.id, seq, reason = webhook.disabled_reason, "a webhook was disabled");
    }
}
