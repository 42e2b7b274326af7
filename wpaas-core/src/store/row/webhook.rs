use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::WebhookId;
use crate::store::EventKind;
use crate::webhook::{Attempt, Delivery, FormerKey, Webhook};

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct WebhookRow {
    id: WebhookId,
    url: String,
    description: String,
    kinds: Vec<EventKind>,
    enabled: bool,
    disabled_reason: Option<String>,
    key: Vec<u8>,
    former: Option<FormerKeyRow>,
    created_at: Timestamp,
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct FormerKeyRow {
    key: Vec<u8>,
    until: Timestamp,
}

impl From<Webhook> for WebhookRow {
    fn from(webhook: Webhook) -> Self {
        let Webhook {
            id,
            url,
            description,
            kinds,
            enabled,
            disabled_reason,
            key,
            former,
            created_at,
            version,
        } = webhook;
        let former = former.map(|FormerKey { key, until }| FormerKeyRow { key, until });
        Self { id, url, description, kinds, enabled, disabled_reason, key, former, created_at, version }
    }
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        let WebhookRow {
            id,
            url,
            description,
            kinds,
            enabled,
            disabled_reason,
            key,
            former,
            created_at,
            version,
        } = row;
        let former = former.map(|FormerKeyRow { key, until }| FormerKey { key, until });
        Self { id, url, description, kinds, enabled, disabled_reason, key, former, created_at, version }
    }
}

#[derive(Serialize, Deserialize)]
pub(in crate::store) struct DeliveryRow {
    webhook: WebhookId,
    after: u64,
    failures: u32,
    failing_since: Option<Timestamp>,
    next_at: Option<Timestamp>,
    attempts: Vec<Attempt>,
    version: u64,
}

impl From<Delivery> for DeliveryRow {
    fn from(delivery: Delivery) -> Self {
        let Delivery { webhook, after, failures, failing_since, next_at, attempts, version } = delivery;
        Self { webhook, after, failures, failing_since, next_at, attempts, version }
    }
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        let DeliveryRow { webhook, after, failures, failing_since, next_at, attempts, version } = row;
        Self { webhook, after, failures, failing_since, next_at, attempts, version }
    }
}
