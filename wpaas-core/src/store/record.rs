use jiff::Timestamp;

use crate::account::{ApiKey, Customer, Lifecycle, Org, Space, User, Version};
use crate::id::SiteId;
use crate::name::{Cid, Slug};
use crate::secret::SecretName;
use crate::site::{Generation, Site, SiteLifecycle, SiteStatus};
use crate::webhook::{Delivery, Webhook};

/// A site with what was last found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSite {
    /// What is wanted.
    pub site: Site,
    /// What was found; `None` before the first look.
    pub status: Option<StoredStatus>,
}

impl StoredSite {
    /// The newest generation that was seen of it.
    #[must_use]
    pub fn seen(&self) -> Generation {
        self.status.as_ref().map_or(0, |seen| seen.status.observed_generation)
    }

    /// Whether what runs was made for a newer generation than the store has, which has lost that.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.seen() > self.site.generation
    }
}

/// A key, and who it speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The key.
    pub key: ApiKey,
    /// The customer that it belongs to; `None` for the operator's.
    pub customer: Option<Customer>,
    /// The user that it belongs to; `None` for the customer's own identity.
    pub user: Option<User>,
}

/// What a path of names leads to; each is `None` from where on there is nothing of that name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// Whose.
    pub customer: Option<Customer>,
    /// In which org.
    pub org: Option<Org>,
    /// In which space.
    pub space: Option<Space>,
    /// The org's site of that name.
    pub site: Option<StoredSite>,
}

/// What was last found of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredStatus {
    /// What.
    pub status: SiteStatus,
    /// Whether the database was ever ready: stays true.
    pub founded: bool,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// What the converger needs of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFacts {
    /// What is wanted.
    pub site: Site,
    /// Where its customer stands.
    pub customer: Lifecycle,
    /// The name of its org; `None` when that is deleted.
    pub org_name: Option<Slug>,
    /// Whether the database was ever ready.
    pub founded: bool,
    /// What its gateways were last seen to answer certificate authorities with, once the platform's names lead to them.
    pub challenge: Option<String>,
}

impl SiteFacts {
    /// Whether it is to run: it is neither being deleted, nor is its customer suspended or leaving.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.site.lifecycle == SiteLifecycle::Live && self.customer == Lifecycle::Active
    }
}

/// A secret as it is kept: only the keyring opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Whose.
    pub site: SiteId,
    /// Which.
    pub name: SecretName,
    /// Grows by one with every new value.
    pub version: u64,
    /// As the keyring made it.
    pub sealed: Vec<u8>,
}

/// Whose a domain was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastHolder {
    /// Whose site had it last.
    pub cid: Cid,
    /// When that site changed last while it had it.
    pub until: Timestamp,
}

/// The account that certificates are asked for with, at one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeAccount {
    /// The URL of the authority's directory.
    pub directory: String,
    /// Grows by one with every new key.
    pub version: Version,
    /// Its key, as the keyring made it.
    pub sealed: Vec<u8>,
}

/// A webhook, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// What people say of it.
    pub webhook: Webhook,
    /// How far it is.
    pub delivery: Delivery,
}

/// A login that has begun at an identity provider, until that sends the browser back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// SHA-256 of the state that comes back with the browser.
    pub state: [u8; 32],
    /// From when on it is none any more.
    pub expires_at: Timestamp,
    /// What is to be remembered of it, sealed by the keyring.
    pub sealed: Vec<u8>,
}

/// What is kept for an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotent {
    /// Who used the key.
    pub principal: String,
    /// The key.
    pub key: String,
    /// SHA-256 of the request that it was used for.
    pub request: [u8; 32],
    /// When the request began.
    pub begun_at: Timestamp,
    /// What was answered.
    pub response: StoredResponse,
}

/// An answer that is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The HTTP status, or whatever the embedder likes.
    pub status: u16,
    /// Sealed by the keyring, because an answer may show a key once.
    pub sealed: Vec<u8>,
}
