//! A store that remembers what it was asked, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::broadcast;

use super::{
    AcmeAccount, AcmeReads, Bearer, Change, Claims, Commit, Committed, CustomerReads, Event, EventFilter,
    EventReads, Idempotent, KeyReads, Located, OrgReads, Page, PastHolder, PendingLogin, SealedSecret,
    SiteFacts, SiteReads, SpaceReads, SpareReads, Store, StoreError, StoredSite, StoredWebhook, UsageReads,
    UserReads, WebhookReads, Write,
};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, KeyKind, Org, Space, User};
use crate::claim::{Board, Member, ServerId, Share, Token};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::lockout::{Failures, NameDigest};
use crate::metering::{UsageFilter, UsageRecord, UsageSum};
use crate::name::{Cid, Email, Hostname, Slug, Username};
use crate::quota::Usage;
use crate::secret::SecretName;
use crate::site::{Site, Spare, Tombstone};

/// Asks another store, and remembers the statements: which reads, and that something was written.
#[derive(Debug)]
pub struct RecordingStore {
    inner: Arc<dyn Store>,
    asked: Mutex<Vec<&'static str>>,
}

impl RecordingStore {
    /// What a commit is remembered as, unless it only notes that a key was used.
    pub const COMMIT: &'static str = "commit";

    /// What a commit is remembered as besides that changes what people own, and of which no event tells.
    pub const UNTOLD: &'static str = "commit without an event";

    /// Over this store.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, asked: Mutex::default() }
    }

    /// What was asked since the last time, in order.
    #[must_use]
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, statement: &'static str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(statement);
    }
}

/// What no person owns: counts, hashes, and what is kept of the way to a sign-in or an answer.
const fn is_machinery(write: &Write) -> bool {
    use Write as W;
    matches!(
        write,
        W::TouchKey(..)
            | W::CountWrongPassword(..)
            | W::ForgetWrongPasswords(..)
            | W::InsertPendingLogin(..)
            | W::TakePendingLogin(..)
            | W::ExpirePendingLogins(..)
            | W::RecordStatus(..)
            | W::InsertSpare(..)
            | W::EndSpare(..)
            | W::Meter(..)
            | W::HashPassword(..)
            | W::UpdateDelivery(..)
            | W::CountIssuance(..)
            | W::PutIdempotent(..)
            | W::ExpireIdempotent(..)
    )
}

#[async_trait]
impl Commit for RecordingStore {
    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        if !change.writes.iter().all(|write| matches!(write, Write::TouchKey(..))) {
            self.note(Self::COMMIT);
        }
        if change.events.is_empty() && !change.writes.iter().all(is_machinery) {
            self.note(Self::UNTOLD);
        }
        self.inner.commit(change).await
    }

    fn feed(&self) -> broadcast::Receiver<Committed> {
        self.inner.feed()
    }
}

#[async_trait]
impl Claims for RecordingStore {
    async fn beat(&self, me: &Member, lease: std::time::Duration) -> Result<Board, StoreError> {
        self.inner.beat(me, lease).await
    }

    async fn take(
        &self,
        wanted: &[(Share, Token)],
        me: &ServerId,
    ) -> Result<Vec<(Share, Token)>, StoreError> {
        self.inner.take(wanted, me).await
    }

    async fn give_up(&self, share: Share, token: Token) -> Result<(), StoreError> {
        self.inner.give_up(share, token).await
    }

    async fn leave(&self, me: &ServerId) -> Result<(), StoreError> {
        self.inner.leave(me).await
    }

    async fn board(&self) -> Result<Board, StoreError> {
        self.inner.board().await
    }
}

macro_rules! reads {
    ($reads:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)* }) => {
        #[async_trait]
        impl $reads for RecordingStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, StoreError> {
                self.note(stringify!($name));
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

reads!(CustomerReads {
    fn customer(cid: &Cid) -> Option<Customer>;
    fn customer_by_username(username: &Username) -> Option<Customer>;
    fn customers_by_email(email: &Email, limit: usize) -> Vec<Customer>;
    fn customers(page: &Page<Cid>) -> Vec<Customer>;
    fn cids_beginning(prefix: &str) -> Vec<Cid>;
    fn customers_to_purge(now: Timestamp, limit: usize) -> Vec<Cid>;
});

reads!(OrgReads {
    fn org(id: OrgId) -> Option<Org>;
    fn org_by_name(cid: &Cid, name: &Slug) -> Option<Org>;
    fn orgs(cid: &Cid, page: &Page<OrgId>) -> Vec<Org>;
    fn org_usage(org: OrgId) -> Usage;
});

reads!(SpaceReads {
    fn space(id: SpaceId) -> Option<Space>;
    fn space_by_name(org: OrgId, name: &Slug) -> Option<Space>;
    fn spaces(cid: &Cid, org: Option<OrgId>, page: &Page<SpaceId>) -> Vec<Space>;
    fn space_usage(space: SpaceId) -> Usage;
});

reads!(UserReads {
    fn user(id: UserId) -> Option<User>;
    fn user_by_name(cid: &Cid, username: &Username) -> Option<User>;
    fn users_by_email(cid: &Cid, email: &Email, limit: usize) -> Vec<User>;
    fn users(cid: &Cid, page: &Page<UserId>) -> Vec<User>;
    fn password_hash(identity: &Identity) -> Option<String>;
    fn wrong_passwords(name: &NameDigest) -> Option<Failures>;
    fn external_login(issuer: &str, subject: &str) -> Option<ExternalLogin>;
    fn external_logins(identity: &Identity) -> Vec<ExternalLogin>;
    fn pending_login(state: &[u8; 32]) -> Option<PendingLogin>;
});

reads!(KeyReads {
    fn key(id: KeyId) -> Option<ApiKey>;
    fn bearer(id: KeyId) -> Option<Bearer>;
    fn keys(identity: &Identity, kind: KeyKind, page: &Page<KeyId>) -> Vec<ApiKey>;
});

reads!(SiteReads {
    fn site(id: SiteId) -> Option<StoredSite>;
    fn located(cid: &Cid, org: &Slug, space: &Slug, site: Option<&Slug>) -> Located;
    fn sites_in_space(space: SpaceId, page: &Page<SiteId>) -> Vec<StoredSite>;
    fn sites_of(cid: &Cid, org: Option<OrgId>, page: &Page<SiteId>) -> Vec<Site>;
    fn site_facts(page: &Page<SiteId>) -> Vec<SiteFacts>;
    fn site_facts_of(id: SiteId) -> Option<SiteFacts>;
    fn sites_wanting_code(now: Timestamp, page: &Page<SiteId>) -> Vec<Site>;
    fn sites_to_look_at(now: Timestamp, page: &Page<SiteId>) -> Vec<Site>;
    fn sites_scaling(page: &Page<SiteId>) -> Vec<Site>;
    fn site_of_domain(domain: &Hostname) -> Option<SiteId>;
    fn past_holder(domain: &Hostname) -> Option<PastHolder>;
    fn passwords_to_hash(limit: usize) -> Vec<SealedSecret>;
    fn tombstone(id: SiteId) -> Option<Tombstone>;
    fn secret(site: SiteId, name: SecretName, version: u64) -> Option<SealedSecret>;
});

reads!(SpareReads {
    fn spares() -> Vec<Spare>;
    fn spare(id: SiteId) -> Option<Spare>;
});

reads!(EventReads {
    fn events(filter: &EventFilter, after: u64, limit: usize) -> Vec<Event>;
    fn last_event() -> u64;
    fn idempotent(principal: &str, key: &str) -> Option<Idempotent>;
});

reads!(UsageReads {
    fn usage_records(filter: &UsageFilter, after: u64, limit: usize) -> Vec<UsageRecord>;
    fn usage_sums(filter: &UsageFilter) -> Vec<UsageSum>;
});

reads!(AcmeReads {
    fn acme_account(directory: &str) -> Option<AcmeAccount>;
    fn issuances(after: Timestamp) -> BTreeMap<String, usize>;
});

reads!(WebhookReads {
    fn webhook(id: WebhookId) -> Option<StoredWebhook>;
    fn webhooks(page: &Page<WebhookId>) -> Vec<StoredWebhook>;
});
