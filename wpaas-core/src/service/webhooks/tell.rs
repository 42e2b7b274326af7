use jiff::Timestamp;
use serde_json::json;

use super::context;
use super::write::of_webhook;
use crate::service::{Page, Service, ServiceError};
use crate::store::{Change, Event, EventKind, EventScope, StoreError, StoredWebhook, Violation, Who, Write};
use crate::webhook::{Delivery, Reply, SigningKey, Verdict, Webhook};

/// Webhooks, or events, read at a time.
const PIECE: usize = 100;

/// What a webhook has to tell next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Events that it is to tell, in their order.
    pub events: Vec<Event>,
    /// The last event that was looked at.
    pub read_to: u64,
}

/// What goes with a message, as Standard Webhooks names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`: of every key that signs now, with a space between.
    pub signature: String,
}

impl Service {
    /// The webhooks that are enabled, for whoever sends.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn webhooks_to_tell(&self) -> Result<Vec<StoredWebhook>, ServiceError> {
        let (mut all, mut page) = (Vec::new(), Page::first(PIECE));
        loop {
            let piece = self.store().webhooks(&page).await?;
            let Some(last) = piece.last() else { return Ok(all) };
            page.after = Some(last.webhook.id);
            all.extend(piece.into_iter().filter(|stored| stored.webhook.enabled));
        }
    }

    /// What of the events after this one a webhook is to tell: of some of them, so ask again.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn untold(&self, webhook: &Webhook, after: u64) -> Result<Untold, ServiceError> {
        let mut events = self.store().events(&EventScope::All.into(), after, PIECE).await?;
        let read_to = events.last().map_or(after, |event| event.seq);
        events.retain(|event| webhook.wants(event));
        Ok(Untold { events, read_to })
    }

    /// Signs what a webhook tells of an event.
    ///
    /// # Errors
    ///
    /// `Keyring` when the keys at hand are not those that sealed its own.
    pub fn sign_message(
        &self,
        webhook: &Webhook,
        seq: u64,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, ServiceError> {
        let (id, timestamp) = (webhook.message_id(seq), now.as_second());
        let mut signatures = Vec::new();
        for sealed in webhook.keys(now) {
            let bytes =
                self.inner.keyring.open(&context(webhook.id), sealed).map_err(ServiceError::Keyring)?;
            let key = SigningKey::from_bytes(&bytes);
            signatures.extend(key.map(|key| key.sign(&id, timestamp, body)));
        }
        Ok(Signed { id, timestamp, signature: signatures.join(" ") })
    }

    /// Keeps what a message came to, and what follows: the webhook as it is then. `None`: it was changed meanwhile, by a
    /// person or another server, so nothing is kept and what is to be told is to be asked for anew.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_reply(
        &self,
        stored: &StoredWebhook,
        seq: u64,
        reply: &Reply,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Option<StoredWebhook>, ServiceError> {
        let mut webhook = stored.webhook.clone();
        let (delivery, verdict) = stored.delivery.answered(seq, reply, now, jitter);
        let mut change = Change::at(now);
        if let Verdict::GiveUp { reason } = verdict {
            let detail = json!({ "reason": reason, "after": delivery.after });
            (webhook.enabled, webhook.disabled_reason) = (false, Some(reason));
            webhook.version += 1;
            change = change.write(Write::UpdateWebhook(webhook.clone())).event(of_webhook(
                &webhook,
                Who::System,
                EventKind::WebhookDisabled,
                detail,
            ));
        }
        self.move_webhook(change, webhook, delivery).await
    }

    /// Keeps that nothing is to be told up to this event, as [`Service::record_reply`] does.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_skipped(
        &self,
        stored: &StoredWebhook,
        read_to: u64,
        now: Timestamp,
    ) -> Result<Option<StoredWebhook>, ServiceError> {
        let delivery = stored.delivery.moved_to(read_to);
        self.move_webhook(Change::at(now), stored.webhook.clone(), delivery).await
    }

    async fn move_webhook(
        &self,
        change: Change,
        webhook: Webhook,
        delivery: Delivery,
    ) -> Result<Option<StoredWebhook>, ServiceError> {
        match self.store().commit(change.write(Write::UpdateDelivery(delivery.clone()))).await {
            Ok(_) => Ok(Some(StoredWebhook { webhook, delivery })),
            Err(StoreError::Violated(Violation::Version { .. })) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
