use jiff::Timestamp;
use serde_json::{Value, json};

use super::{KeyedWebhook, NewWebhook, WebhookUpdate, context};
use crate::access::{Action, Actor, Scope};
use crate::id::WebhookId;
use crate::service::commit::{Rounds, may, who};
use crate::service::customers::replace;
use crate::service::text::check_description;
use crate::service::{IfMatch, Noun, Service, ServiceError};
use crate::store::{Change, EventKind, Expect, NewEvent, StoredWebhook, Subject, Who, Write};
use crate::webhook::{Delivery, FormerKey, SigningKey, Webhook, place};

/// More are not of use: there are not so many.
const MOST_KINDS: usize = 100;
/// Each is told of every event, one at a time.
const MOST_WEBHOOKS: u64 = 50;

impl Service {
    /// Makes a webhook that tells what happens from now on, with a secret that is shown this once.
    ///
    /// # Errors
    ///
    /// `Forbidden`, `too_many_webhooks`, `Invalid`.
    pub async fn create_webhook(
        &self,
        actor: &Actor,
        new: NewWebhook,
        now: Timestamp,
    ) -> Result<KeyedWebhook, ServiceError> {
        may(actor, Action::WebhookManage, Scope::System, Noun::Webhook)?;
        let NewWebhook { url, description, kinds, enabled } = new;
        let (url, kinds) = (self.webhook_url(&url)?, checked_kinds(&kinds)?);
        check_description(&description)?;
        let id = WebhookId::new();
        let (secret, key) = self.new_webhook_key(id)?;
        let webhook = Webhook {
            id,
            url,
            description,
            kinds,
            enabled,
            disabled_reason: None,
            key,
            former: None,
            created_at: now,
            version: 1,
        };
        let mut rounds = Rounds::default();
        loop {
            let delivery = Delivery::after(id, self.store().last_event().await?);
            let change = Change::at(now)
                .expect(Expect::WebhooksBelow(MOST_WEBHOOKS))
                .write(Write::InsertWebhook(webhook.clone(), delivery.clone()))
                .event(of_webhook(&webhook, who(actor), EventKind::WebhookCreated, json!({})));
            if self.commit(change, &mut rounds).await? {
                return Ok(KeyedWebhook { stored: StoredWebhook { webhook, delivery }, secret });
            }
        }
    }

    /// Changes a webhook.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `VersionMismatch`, `Invalid`.
    pub async fn update_webhook(
        &self,
        actor: &Actor,
        id: WebhookId,
        mut update: WebhookUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<StoredWebhook, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let stored = self.webhook(actor, id).await?;
            if_match.check(stored.webhook.version)?;
            update.url = update.url.map(|url| self.webhook_url(&url)).transpose()?;
            update.kinds = update.kinds.map(|kinds| checked_kinds(&kinds)).transpose()?;
            update.description.as_deref().map_or(Ok(()), check_description)?;
            let (after, changed) = updated(&stored, &update);
            if changed.is_empty() {
                return Ok(stored);
            }
            let StoredWebhook { webhook, delivery } = &after;
            let detail = json!({ "changed": changed });
            let mut change = Change::at(now).write(Write::UpdateWebhook(webhook.clone())).event(of_webhook(
                webhook,
                who(actor),
                EventKind::WebhookUpdated,
                detail,
            ));
            if *delivery != stored.delivery {
                change = change.write(Write::UpdateDelivery(delivery.clone()));
            }
            if self.commit(change, &mut rounds).await? {
                return Ok(after);
            }
        }
    }

    /// Deletes a webhook: what it has not told is not told any more.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `VersionMismatch`.
    pub async fn delete_webhook(
        &self,
        actor: &Actor,
        id: WebhookId,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let StoredWebhook { webhook, delivery: _ } = self.webhook(actor, id).await?;
            if_match.check(webhook.version)?;
            let change = Change::at(now).write(Write::DeleteWebhook(id, webhook.version)).event(of_webhook(
                &webhook,
                who(actor),
                EventKind::WebhookDeleted,
                json!({}),
            ));
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// Gives a webhook a new secret, shown this once. The one before signs beside it for as long as a renewed API key
    /// stays valid.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn renew_webhook_key(
        &self,
        actor: &Actor,
        id: WebhookId,
        now: Timestamp,
    ) -> Result<KeyedWebhook, ServiceError> {
        let until = now.saturating_add(self.settings().key_overlap).unwrap_or(Timestamp::MAX);
        let mut rounds = Rounds::default();
        loop {
            let mut stored = self.webhook(actor, id).await?;
            let (secret, key) = self.new_webhook_key(id)?;
            let webhook = &mut stored.webhook;
            webhook.former = Some(FormerKey { key: std::mem::replace(&mut webhook.key, key), until });
            webhook.version += 1;
            let detail = json!({ "former_until": until });
            let change = Change::at(now).write(Write::UpdateWebhook(webhook.clone())).event(of_webhook(
                webhook,
                who(actor),
                EventKind::WebhookKeyRenewed,
                detail,
            ));
            if self.commit(change, &mut rounds).await? {
                return Ok(KeyedWebhook { stored, secret });
            }
        }
    }

    /// Moves a webhook to this event: it is the next that is told, and all after it follow; those before are not told,
    /// or not again. A number that no event has yet stands for the next event that happens.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn replay_webhook(
        &self,
        actor: &Actor,
        id: WebhookId,
        from: u64,
        now: Timestamp,
    ) -> Result<StoredWebhook, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let StoredWebhook { webhook, delivery } = self.webhook(actor, id).await?;
            let after = from.saturating_sub(1).min(self.store().last_event().await?);
            let delivery = delivery.moved_to(after);
            let detail = json!({ "from": after + 1 });
            let change = Change::at(now).write(Write::UpdateDelivery(delivery.clone())).event(of_webhook(
                &webhook,
                who(actor),
                EventKind::WebhookReplayed,
                detail,
            ));
            if self.commit(change, &mut rounds).await? {
                return Ok(StoredWebhook { webhook, delivery });
            }
        }
    }

    fn webhook_url(&self, text: &str) -> Result<String, ServiceError> {
        let place = place(text, &self.settings().webhook_prefixes);
        let (url, _) = place.map_err(|error| ServiceError::invalid("url", error.to_string()))?;
        Ok(url.into())
    }

    fn new_webhook_key(&self, id: WebhookId) -> Result<(crate::secret::Secret, Vec<u8>), ServiceError> {
        let key = SigningKey::random();
        let sealed = self.inner.keyring.seal(&context(id), key.bytes()).map_err(ServiceError::Keyring)?;
        Ok((key.text(), sealed))
    }
}

/// Each once.
fn checked_kinds(kinds: &[EventKind]) -> Result<Vec<EventKind>, ServiceError> {
    if kinds.len() > MOST_KINDS {
        return Err(ServiceError::invalid("kinds", format!("must be {MOST_KINDS} or less")));
    }
    let mut once = Vec::new();
    for kind in kinds {
        if !once.contains(kind) {
            once.push(*kind);
        }
    }
    Ok(once)
}

/// What it is then, and what is other. Elsewhere, or enabled again, it is tried at once.
fn updated(stored: &StoredWebhook, update: &WebhookUpdate) -> (StoredWebhook, Vec<&'static str>) {
    let WebhookUpdate { url, description, kinds, enabled } = update;
    let StoredWebhook { mut webhook, mut delivery } = stored.clone();
    let mut changed = Vec::new();
    replace(&mut webhook.url, url.as_ref(), "url", &mut changed);
    replace(&mut webhook.enabled, enabled.as_ref(), "enabled", &mut changed);
    if !changed.is_empty() {
        webhook.disabled_reason = webhook.disabled_reason.filter(|_| !webhook.enabled);
        delivery = delivery.afresh();
    }
    replace(&mut webhook.description, description.as_ref(), "description", &mut changed);
    replace(&mut webhook.kinds, kinds.as_ref(), "kinds", &mut changed);
    webhook.version += 1;
    (StoredWebhook { webhook, delivery }, changed)
}

/// Nothing of its URL, which may hold what opens it.
pub(super) fn of_webhook(webhook: &Webhook, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    let subject = Subject::Webhook(webhook.id);
    NewEvent { cid: None, org: None, space: None, who, kind, subject, detail }
}
