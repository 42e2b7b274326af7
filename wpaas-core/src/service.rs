//! What the API does, without the wire: authorise, decide (pure), commit in one transaction; a file per noun.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};

use crate::account::Version;
use crate::credential::Passwords;
use crate::keyring::Keyring;
use crate::name::Hostname;
use crate::site::{CertificateRules, DatabaseSize, EdgePorts};
use crate::store::{Claims, Store};

mod authentication;
mod certificates;
mod commit;
mod customers;
mod domains;
mod error;
mod events;
mod idempotency;
mod intents;
mod keys;
mod logins;
mod names;
mod orgs;
mod place;
mod purge;
mod releases;
mod scaling;
mod secrets;
mod sessions;
mod sites;
mod spaces;
mod spares;
#[cfg(test)]
pub(crate) mod test;
mod text;
mod usage;
mod users;
mod visible;
mod webhooks;

pub use authentication::SignedIn;
pub use certificates::{AcmeKey, CertificateRefusal, CertificateView, NewCertificate};
pub use customers::{CustomerUpdate, NewCustomer, PaymentUpdate};
pub use domains::{ClaimsToLookAt, Contest, DomainEvidence, DomainView};
pub use error::{ConflictCode, Noun, ServiceError};
pub use idempotency::{Answer, Idempotency, Keyed, Performed};
pub use intents::StoreIntents;
pub use keys::{IssuedKey, NewKey};
pub use logins::{ByEmail, ExternalAccount, ExternalSignIn, Ticket};
pub use orgs::{NewOrg, OrgUpdate};
pub use purge::Purge;
pub use releases::{ReleaseView, Rollback, WantedCode};
pub use secrets::StoreSecrets;
pub use sessions::Session;
pub use sites::{FeaturesUpdate, NewSite, SiteFilter, SitePath, SitePhase, SitePlace, SiteUpdate, SiteView};
pub use spaces::{NewSpace, SpaceUpdate};
pub use users::{NewUser, UserUpdate};
pub use webhooks::{KeyedWebhook, NewWebhook, Signed, Untold, WebhookUpdate};

pub use crate::metering::{UsageFilter, UsageRecord, UsageSum};
pub use crate::quota::VolumeSizes;
pub use crate::store::{Event, EventFilter, EventScope, Listed, Mode, Page};

/// The operations of the control plane over a store. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    settings: Settings,
    passwords: Passwords,
    /// What gateways answer a certificate authority with.
    challenge: RwLock<Option<String>>,
    ready: spares::Ready,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Service {
    /// Over this store, with secrets sealed by this keyring.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, settings: Settings) -> Self {
        Self::hashing(store, keyring, settings, Passwords::default())
    }

    /// As [`Service::new`], with another measure of how many passwords are hashed at a time.
    #[must_use]
    pub fn hashing(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        settings: Settings,
        passwords: Passwords,
    ) -> Self {
        let (challenge, ready) = (RwLock::default(), spares::Ready::default());
        Self { inner: Arc::new(Inner { store, keyring, settings, passwords, challenge, ready }) }
    }

    fn store(&self) -> &dyn Store {
        self.inner.store.as_ref()
    }

    /// From now on gateways answer a certificate authority with this, after the token and a dot.
    pub fn answer_challenges_with(&self, thumbprint: &str) {
        *self.inner.challenge.write().unwrap_or_else(PoisonError::into_inner) = Some(thumbprint.to_owned());
    }

    fn challenge(&self) -> Option<String> {
        self.inner.challenge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What this server keeps its claims in.
    #[must_use]
    pub fn claims(&self) -> Arc<dyn Claims> {
        self.inner.store.clone()
    }

    /// What the operator has set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

/// What the operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Sites are reached below `www.` of it.
    pub platform_domain: Hostname,
    /// Who may register customers.
    pub registration: Registration,
    /// The highest `num_instances` of a site; never above half of `Part::APART_SLOTS`.
    pub max_instances: u16,
    /// The database of a site that names none.
    pub default_database: DatabaseSize,
    /// How many sites are made before anybody asks for one, with the default database.
    pub spares: usize,
    /// What a site's volumes count against the storage quotas.
    pub volumes: VolumeSizes,
    /// How long a deleted site can be restored, unless the deletion says otherwise.
    pub site_grace: SignedDuration,
    /// How long a customer's deletion can be cancelled, unless the deletion says otherwise.
    pub customer_grace: SignedDuration,
    /// The longest grace that may be asked for.
    pub max_grace: SignedDuration,
    /// The ports of the edge that sites can share; `None` where there is none.
    pub edge_ports: Option<EdgePorts>,
    /// The edge's address as the world sees it.
    pub edge_address: Option<IpAddr>,
    /// Names of the platform itself, besides its domain: no site has them, or anything below or above them.
    pub reserved_domains: Vec<Hostname>,
    /// Which certificates sites have; none without.
    pub certificates: Option<CertificateRules>,
    /// How long an API key is valid, unless its owner says less.
    pub key_lifetime: SignedDuration,
    /// How long a renewed key stays valid beside the new one.
    pub key_overlap: SignedDuration,
    /// How long a session lasts.
    pub session_lifetime: SignedDuration,
    /// Wrong passwords in a row after which a name is locked out; 0 is never.
    pub lockout_after: u32,
    /// Beginnings of URLs, each ending in `/`, that webhooks may have besides public https ones; see [`crate::reach`].
    pub webhook_prefixes: Vec<String>,
}

impl Settings {
    /// The settings that a platform of this domain begins with.
    #[must_use]
    pub const fn new(platform_domain: Hostname) -> Self {
        Self {
            platform_domain,
            registration: Registration::Closed,
            max_instances: 20,
            default_database: DatabaseSize::One,
            spares: 0,
            volumes: VolumeSizes { database_gib: 10, uploads_gib: 10 },
            site_grace: SignedDuration::from_hours(24),
            customer_grace: SignedDuration::from_hours(7 * 24),
            max_grace: SignedDuration::from_hours(90 * 24),
            edge_ports: None,
            edge_address: None,
            reserved_domains: Vec::new(),
            certificates: None,
            key_lifetime: SignedDuration::from_hours(90 * 24),
            key_overlap: SignedDuration::from_hours(24),
            session_lifetime: SignedDuration::from_hours(12),
            lockout_after: 10,
            webhook_prefixes: Vec::new(),
        }
    }
}

/// Who may register customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// The operator.
    Closed,
}

/// What a change expects of the record that it changes (`If-Match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing.
    Any,
    /// This version (of a site: this generation).
    Version(Version),
}

impl IfMatch {
    fn check(self, current: Version) -> Result<(), ServiceError> {
        match self {
            Self::Version(version) if version != current => Err(ServiceError::VersionMismatch { current }),
            Self::Version(_) | Self::Any => Ok(()),
        }
    }
}

/// How long something deleted can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// As the operator has set.
    Default,
    /// So long; zero is allowed.
    Of(SignedDuration),
}

impl Grace {
    /// When what is deleted now goes for good.
    fn end(
        self,
        now: Timestamp,
        default: SignedDuration,
        most: SignedDuration,
    ) -> Result<Timestamp, ServiceError> {
        let grace = match self {
            Self::Default => default,
            Self::Of(grace) if grace.is_negative() || grace > most => {
                let most = most.as_hours();
                return Err(ServiceError::invalid("grace", format!("must be from 0 to {most} hours")));
            }
            Self::Of(grace) => grace,
        };
        now.checked_add(grace).map_err(|error| ServiceError::invalid("grace", error.to_string()))
    }
}

/// Whether a deletion takes along what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recursion {
    /// What is not empty stays, and the answer names what is inside.
    OnlyEmpty,
    /// Everything inside goes too.
    Recursive,
}
