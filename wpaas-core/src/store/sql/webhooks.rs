use async_trait::async_trait;

use super::db::Db;
use super::query::query;
use super::read::{after, limit};
use super::{SqlStore, int};
use crate::id::WebhookId;
use crate::store::row::{DeliveryRow, WebhookRow, read, write as doc};
use crate::store::{Page, StoreError, StoredWebhook, WebhookReads};
use crate::webhook::{Delivery, Webhook};

pub(super) async fn insert(db: &mut Db, webhook: Webhook, delivery: Delivery) -> Result<(), StoreError> {
    let put =
        "INSERT INTO webhooks (id, version, doc, delivery_version, delivery) VALUES ($1, $2, $3, $4, $5)";
    let put = query(put)
        .bind(webhook.id.to_string())
        .bind(int(webhook.version))
        .bind(doc(&WebhookRow::from(webhook))?)
        .bind(int(delivery.version))
        .bind(doc(&DeliveryRow::from(delivery))?);
    put.run(db).await.map(drop)
}

pub(super) async fn update(db: &mut Db, webhook: Webhook) -> Result<(), StoreError> {
    let put = query("UPDATE webhooks SET version = $2, doc = $3 WHERE id = $1")
        .bind(webhook.id.to_string())
        .bind(int(webhook.version))
        .bind(doc(&WebhookRow::from(webhook))?);
    put.run(db).await.map(drop)
}

pub(super) async fn deliver(db: &mut Db, delivery: Delivery) -> Result<(), StoreError> {
    let put = query("UPDATE webhooks SET delivery_version = $2, delivery = $3 WHERE id = $1")
        .bind(delivery.webhook.to_string())
        .bind(int(delivery.version))
        .bind(doc(&DeliveryRow::from(delivery))?);
    put.run(db).await.map(drop)
}

fn stored((webhook, delivery): (String, String)) -> Result<StoredWebhook, StoreError> {
    Ok(StoredWebhook {
        webhook: read::<WebhookRow>(&webhook)?.into(),
        delivery: read::<DeliveryRow>(&delivery)?.into(),
    })
}

#[async_trait]
impl WebhookReads for SqlStore {
    async fn webhook(&self, id: WebhookId) -> Result<Option<StoredWebhook>, StoreError> {
        let find = query("SELECT doc, delivery FROM webhooks WHERE id = $1").bind(id.to_string());
        find.first(&self.readers).await?.map(stored).transpose()
    }

    async fn webhooks(&self, page: &Page<WebhookId>) -> Result<Vec<StoredWebhook>, StoreError> {
        let find = query("SELECT doc, delivery FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2");
        let found = find.bind(after(page)).bind(limit(page.limit)).all(&self.readers).await?;
        found.into_iter().map(stored).collect()
    }
}
