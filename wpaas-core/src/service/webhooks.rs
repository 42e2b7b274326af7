use crate::access::{Action, Actor, Scope};
use crate::id::WebhookId;
use crate::secret::Secret;
use crate::service::commit::may;
use crate::service::{Listed, Noun, Page, Service, ServiceError};
use crate::store::{EventKind, StoredWebhook};

mod tell;
mod write;

pub use tell::{Signed, Untold};

/// A webhook to make.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where messages are posted.
    pub url: String,
    /// For people.
    pub description: String,
    /// Of these kinds alone; of all when there is none.
    pub kinds: Vec<EventKind>,
    /// Whether anything is sent.
    pub enabled: bool,
}

/// What to change of a webhook; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct WebhookUpdate {
    /// Where messages are posted.
    pub url: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Replaces the kinds.
    pub kinds: Option<Vec<EventKind>>,
    /// Whether anything is sent. Enabled again, it goes on where it was.
    pub enabled: Option<bool>,
}

/// A webhook with a new secret, shown this once.
#[derive(Debug, Clone)]
pub struct KeyedWebhook {
    /// The webhook.
    pub stored: StoredWebhook,
    /// What its receiver checks signatures with: `whsec_…`.
    pub secret: Secret,
}

impl Service {
    /// One webhook, and how far it is.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn webhook(&self, actor: &Actor, id: WebhookId) -> Result<StoredWebhook, ServiceError> {
        may(actor, Action::WebhookManage, Scope::System, Noun::Webhook)?;
        self.store().webhook(id).await?.ok_or(ServiceError::not_found(Noun::Webhook))
    }

    /// All webhooks.
    ///
    /// # Errors
    ///
    /// `Forbidden`.
    pub async fn webhooks(
        &self,
        actor: &Actor,
        page: Page<WebhookId>,
    ) -> Result<Listed<StoredWebhook, WebhookId>, ServiceError> {
        may(actor, Action::WebhookManage, Scope::System, Noun::Webhook)?;
        let (page, limit) = page.and_one();
        Ok(Listed::cut(self.store().webhooks(&page).await?, limit, |stored| stored.webhook.id))
    }
}

/// What a webhook's sealed key is bound to: it opens nowhere else.
fn context(id: WebhookId) -> String {
    format!("webhook/{id}")
}
