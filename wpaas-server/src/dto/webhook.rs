//! Webhooks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::Version;
use wpaas_core::id::WebhookId;
use wpaas_core::service::{KeyedWebhook, NewWebhook, WebhookUpdate};
use wpaas_core::store::{Event, EventKind, StoredWebhook};
use wpaas_core::webhook::{Attempt, Delivery, Webhook};

use super::event::{EventView, Seq};
use super::schema;

/// A webhook.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: WebhookId,
    /// Where messages are posted.
    #[schema(value_type = schema::WebhookUrl)]
    pub url: String,
    /// For people.
    #[schema(value_type = schema::Description)]
    pub description: String,
    /// Of these kinds alone; of all when there is none.
    pub kinds: Vec<EventKind>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why this system has disabled it; `null` where a person has, or where it is enabled.
    pub disabled_reason: Option<String>,
    /// Until when the secret before this one signs, too.
    pub former_secret_until: Option<Timestamp>,
    /// How far it is.
    pub delivery: DeliveryView,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record without its delivery; also in the `ETag`.
    #[schema(value_type = u64)]
    pub version: Version,
}

/// How far a webhook is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    /// The number of the last event that is done with: it was taken, or not to be told.
    pub after: u64,
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// When the next try is due; `null` where none has failed.
    pub next_at: Option<Timestamp>,
    /// The last ones, the oldest first.
    #[schema(max_items = 10)]
    pub attempts: Vec<Attempt>,
}

impl From<StoredWebhook> for WebhookView {
    fn from(StoredWebhook { webhook, delivery }: StoredWebhook) -> Self {
        let Webhook { id, url, description, kinds, enabled, disabled_reason, .. } = webhook;
        let Webhook { key: _, former, created_at, version, .. } = webhook;
        let Delivery { webhook: _, after, failures, failing_since, next_at, attempts, version: _ } = delivery;
        Self {
            id,
            url,
            description,
            kinds,
            enabled,
            disabled_reason,
            former_secret_until: former.map(|former| former.until),
            delivery: DeliveryView { after, failures, failing_since, next_at, attempts },
            created_at,
            version,
        }
    }
}

/// A webhook with a new secret, shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct KeyedWebhookView {
    /// What its receiver checks signatures with, as Standard Webhooks has it.
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]{43}=$")]
    pub secret: String,
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
}

impl From<KeyedWebhook> for KeyedWebhookView {
    fn from(KeyedWebhook { stored, secret }: KeyedWebhook) -> Self {
        Self { secret: secret.expose().to_owned(), webhook: stored.into() }
    }
}

/// `POST /webhooks`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookDto {
    #[schema(value_type = schema::WebhookUrl)]
    url: String,
    #[serde(default)]
    #[schema(value_type = schema::Description)]
    description: String,
    /// Of these kinds alone; of all when there is none.
    #[serde(default)]
    #[schema(max_items = 100)]
    kinds: Vec<EventKind>,
    #[serde(default = "yes")]
    enabled: bool,
}

const fn yes() -> bool {
    true
}

impl From<NewWebhookDto> for NewWebhook {
    fn from(NewWebhookDto { url, description, kinds, enabled }: NewWebhookDto) -> Self {
        Self { url, description, kinds, enabled }
    }
}

/// `PUT /webhooks/{webhook}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookUpdateDto {
    #[schema(value_type = Option<schema::WebhookUrl>)]
    url: Option<String>,
    #[schema(value_type = Option<schema::Description>)]
    description: Option<String>,
    /// Of these kinds alone; of all when there is none.
    #[schema(max_items = 100)]
    kinds: Option<Vec<EventKind>>,
    /// Enabled again, it goes on where it was.
    enabled: Option<bool>,
}

impl From<WebhookUpdateDto> for WebhookUpdate {
    fn from(WebhookUpdateDto { url, description, kinds, enabled }: WebhookUpdateDto) -> Self {
        Self { url, description, kinds, enabled }
    }
}

/// `POST /webhooks/{webhook}/replay`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    /// The event to begin with. A number that no event has yet stands for the next one that happens.
    #[param(value_type = i64, minimum = 0)]
    pub from: Seq,
}

/// What is posted to a webhook, with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.
#[derive(Debug, Serialize)]
pub struct WebhookMessage {
    /// The event's kind, as `site_created`.
    r#type: EventKind,
    /// When it happened.
    timestamp: Timestamp,
    /// The event.
    data: EventView,
}

impl From<Event> for WebhookMessage {
    fn from(event: Event) -> Self {
        Self { r#type: event.event.kind, timestamp: event.at, data: event.into() }
    }
}
