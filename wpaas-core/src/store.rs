//! The port to what keeps the state: read sides by noun, and one [`Commit::commit`] that takes a [`Change`] as a
//! value, with what it expects, and does all of it in one transaction or nothing.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::account::{ApiKey, Customer, ExternalLogin, Identity, KeyKind, Org, Space, User};
use crate::claim::{Board, Member, ServerId, Share, Token};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::lockout::{Failures, NameDigest};
use crate::metering::{UsageFilter, UsageRecord, UsageSum};
use crate::name::{Cid, Email, Hostname, Slug, Username};
use crate::quota::Usage;
use crate::secret::SecretName;
use crate::site::{Site, Spare, Tombstone};

mod change;
mod error;
mod event;
mod page;
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod row;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod memory;
#[cfg(feature = "testing")]
pub mod recording;
#[cfg(all(feature = "testing", feature = "postgres"))]
pub mod scratch;

pub use change::{Change, Expect, Mode, Record, Write};
pub use error::{StoreError, Violation};
pub use event::{Event, EventFilter, EventKind, EventScope, NewEvent, Subject, Who};
pub use page::{Listed, Page};
pub use record::{
    AcmeAccount, Bearer, Idempotent, Located, PastHolder, PendingLogin, SealedSecret, SiteFacts,
    StoredResponse, StoredSite, StoredStatus, StoredWebhook,
};
#[cfg(feature = "postgres")]
pub use sql::{InvalidUrl, PostgresUrl};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::{SqlStore, TransferError};

/// What keeps the state.
pub trait Store:
    Commit
    + CustomerReads
    + OrgReads
    + SpaceReads
    + UserReads
    + KeyReads
    + SiteReads
    + SpareReads
    + EventReads
    + UsageReads
    + WebhookReads
    + AcmeReads
    + Claims
{
}

impl<T> Store for T where
    T: Commit
        + CustomerReads
        + OrgReads
        + SpaceReads
        + UserReads
        + KeyReads
        + SiteReads
        + SpareReads
        + EventReads
        + UsageReads
        + WebhookReads
        + AcmeReads
        + Claims
{
}

/// The write side.
#[async_trait]
pub trait Commit: std::fmt::Debug + Send + Sync + 'static {
    /// Does all of the change, after all that it expects has been found true, in one transaction; it is
    /// durable when this returns. In [`Mode::DryRun`] everything is checked and nothing stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Violated`] when an expectation was not met, and then nothing was written.
    async fn commit(&self, change: Change) -> Result<Committed, StoreError>;

    /// What is committed from now on, as hints: a slow reader misses the oldest. What another process commits to the
    /// same state is told by its events, some time later.
    fn feed(&self) -> broadcast::Receiver<Committed>;
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The events that it wrote.
    pub events: Vec<Event>,
    /// The sites of which something else is wanted now.
    pub sites: Vec<SiteId>,
    /// The customers that changed, and with them perhaps what is wanted of their sites.
    pub customers: Vec<Cid>,
}

/// Reads customers.
#[async_trait]
pub trait CustomerReads: std::fmt::Debug + Send + Sync + 'static {
    /// The customer of this id.
    async fn customer(&self, cid: &Cid) -> Result<Option<Customer>, StoreError>;

    /// The customer that signs in with this name, whatever its case.
    async fn customer_by_username(&self, username: &Username) -> Result<Option<Customer>, StoreError>;

    /// Customers with this e-mail address, whatever its case, in the order of their ids; at most `limit`.
    async fn customers_by_email(&self, email: &Email, limit: usize) -> Result<Vec<Customer>, StoreError>;

    /// Customers in the order of their ids.
    async fn customers(&self, page: &Page<Cid>) -> Result<Vec<Customer>, StoreError>;

    /// The ids ever given that begin with this text.
    async fn cids_beginning(&self, prefix: &str) -> Result<Vec<Cid>, StoreError>;

    /// Customers whose deletion's grace ended before this time, the earliest first.
    async fn customers_to_purge(&self, now: Timestamp, limit: usize) -> Result<Vec<Cid>, StoreError>;
}

/// Reads orgs.
#[async_trait]
pub trait OrgReads: std::fmt::Debug + Send + Sync + 'static {
    /// The org of this id.
    async fn org(&self, id: OrgId) -> Result<Option<Org>, StoreError>;

    /// A customer's org of this name.
    async fn org_by_name(&self, cid: &Cid, name: &Slug) -> Result<Option<Org>, StoreError>;

    /// A customer's orgs in the order of their ids.
    async fn orgs(&self, cid: &Cid, page: &Page<OrgId>) -> Result<Vec<Org>, StoreError>;

    /// What the sites of an org use.
    async fn org_usage(&self, org: OrgId) -> Result<Usage, StoreError>;
}

/// Reads spaces.
#[async_trait]
pub trait SpaceReads: std::fmt::Debug + Send + Sync + 'static {
    /// The space of this id.
    async fn space(&self, id: SpaceId) -> Result<Option<Space>, StoreError>;

    /// An org's space of this name.
    async fn space_by_name(&self, org: OrgId, name: &Slug) -> Result<Option<Space>, StoreError>;

    /// A customer's spaces, or those of one of its orgs, in the order of their ids.
    async fn spaces(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        page: &Page<SpaceId>,
    ) -> Result<Vec<Space>, StoreError>;

    /// What the sites of a space use.
    async fn space_usage(&self, space: SpaceId) -> Result<Usage, StoreError>;
}

/// Reads users and passwords.
#[async_trait]
pub trait UserReads: std::fmt::Debug + Send + Sync + 'static {
    /// The user of this id.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// A customer's user of this name, whatever its case.
    async fn user_by_name(&self, cid: &Cid, username: &Username) -> Result<Option<User>, StoreError>;

    /// A customer's users with this e-mail address, whatever its case, in the order of their ids; at most `limit`.
    async fn users_by_email(&self, cid: &Cid, email: &Email, limit: usize) -> Result<Vec<User>, StoreError>;

    /// A customer's users in the order of their ids.
    async fn users(&self, cid: &Cid, page: &Page<UserId>) -> Result<Vec<User>, StoreError>;

    /// The hash of an identity's password; `None` when it has none.
    async fn password_hash(&self, identity: &Identity) -> Result<Option<String>, StoreError>;

    /// The wrong passwords in a row that a name has seen; also those that count no more.
    async fn wrong_passwords(&self, name: &NameDigest) -> Result<Option<Failures>, StoreError>;

    /// Whom an account at an identity provider signs in.
    async fn external_login(&self, issuer: &str, subject: &str) -> Result<Option<ExternalLogin>, StoreError>;

    /// The accounts that sign an identity in, in the order of issuer and subject.
    async fn external_logins(&self, identity: &Identity) -> Result<Vec<ExternalLogin>, StoreError>;

    /// The login that has begun with this state, also one that has expired; `None` once it is taken.
    async fn pending_login(&self, state: &[u8; 32]) -> Result<Option<PendingLogin>, StoreError>;
}

/// Reads API keys.
#[async_trait]
pub trait KeyReads: std::fmt::Debug + Send + Sync + 'static {
    /// The key of this id.
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// The key of this id with who it speaks for, in one read.
    async fn bearer(&self, id: KeyId) -> Result<Option<Bearer>, StoreError>;

    /// The keys of a kind that speak for an identity, in the order of their ids.
    async fn keys(
        &self,
        identity: &Identity,
        kind: KeyKind,
        page: &Page<KeyId>,
    ) -> Result<Vec<ApiKey>, StoreError>;
}

/// Reads sites.
#[async_trait]
pub trait SiteReads: std::fmt::Debug + Send + Sync + 'static {
    /// The site of this id.
    async fn site(&self, id: SiteId) -> Result<Option<StoredSite>, StoreError>;

    /// What the names lead to, in one read. The site is the org's of this name, whatever space it is in; none is
    /// read where none is named.
    async fn located(
        &self,
        cid: &Cid,
        org: &Slug,
        space: &Slug,
        site: Option<&Slug>,
    ) -> Result<Located, StoreError>;

    /// The sites of a space in the order of their ids.
    async fn sites_in_space(
        &self,
        space: SpaceId,
        page: &Page<SiteId>,
    ) -> Result<Vec<StoredSite>, StoreError>;

    /// The sites of an org, or all of a customer, in the order of their ids.
    async fn sites_of(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        page: &Page<SiteId>,
    ) -> Result<Vec<Site>, StoreError>;

    /// What the converger needs of the sites, in the order of their ids.
    async fn site_facts(&self, page: &Page<SiteId>) -> Result<Vec<SiteFacts>, StoreError>;

    /// What the converger needs of one site.
    async fn site_facts_of(&self, id: SiteId) -> Result<Option<SiteFacts>, StoreError>;

    /// Sites whose code is to be fetched at this time, in the order of their ids.
    async fn sites_wanting_code(&self, now: Timestamp, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError>;

    /// Live sites of which a claim on a domain is to be looked at at this time, in the order of their ids.
    async fn sites_to_look_at(&self, now: Timestamp, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError>;

    /// Live sites whose instances follow their load, in the order of their ids.
    async fn sites_scaling(&self, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError>;

    /// Whose a domain is.
    async fn site_of_domain(&self, domain: &Hostname) -> Result<Option<SiteId>, StoreError>;

    /// Whose site had this domain last; `None` before one had it and changed since.
    async fn past_holder(&self, domain: &Hostname) -> Result<Option<PastHolder>, StoreError>;

    /// What stays of a purged site.
    async fn tombstone(&self, id: SiteId) -> Result<Option<Tombstone>, StoreError>;

    /// Sealed passwords of admins that no hash was made of yet, in the order of their sites' ids.
    async fn passwords_to_hash(&self, limit: usize) -> Result<Vec<SealedSecret>, StoreError>;

    /// A sealed secret, of a site or of a spare that is kept.
    async fn secret(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
    ) -> Result<Option<SealedSecret>, StoreError>;
}

/// Reads sites of no customer.
#[async_trait]
pub trait SpareReads: std::fmt::Debug + Send + Sync + 'static {
    /// The spares that are kept, in the order of their ids: a handful.
    async fn spares(&self) -> Result<Vec<Spare>, StoreError>;

    /// The spare of this id, whatever became of it.
    async fn spare(&self, id: SiteId) -> Result<Option<Spare>, StoreError>;
}

/// Who tends which share of the sites. Each of these is a transaction of its own, beside the changes; times are by one
/// clock for all servers.
#[async_trait]
pub trait Claims: std::fmt::Debug + Send + Sync + 'static {
    /// Says that this server lives for so long from now, and tells what is known of all.
    async fn beat(&self, me: &Member, lease: std::time::Duration) -> Result<Board, StoreError>;

    /// Takes those shares whose token is still the one that was seen (0: never taken) and that nobody else alive has.
    /// Answers those that were taken, each with its new and newer token.
    async fn take(&self, wanted: &[(Share, Token)], me: &ServerId)
    -> Result<Vec<(Share, Token)>, StoreError>;

    /// Leaves a share to whoever takes it; nothing happens when its token is newer.
    async fn give_up(&self, share: Share, token: Token) -> Result<(), StoreError>;

    /// The server ends: all that it has is free.
    async fn leave(&self, me: &ServerId) -> Result<(), StoreError>;

    /// What is known of all.
    async fn board(&self) -> Result<Board, StoreError>;
}

/// Reads events and what was answered before.
#[async_trait]
pub trait EventReads: std::fmt::Debug + Send + Sync + 'static {
    /// Events after `after` in the order of their numbers, at most `limit`.
    async fn events(&self, filter: &EventFilter, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The number of the last event; 0 before the first.
    async fn last_event(&self) -> Result<u64, StoreError>;

    /// What is kept for an idempotency key of a principal.
    async fn idempotent(&self, principal: &str, key: &str) -> Result<Option<Idempotent>, StoreError>;
}

/// Reads what was used.
#[async_trait]
pub trait UsageReads: std::fmt::Debug + Send + Sync + 'static {
    /// Records after `after` in the order of their numbers, at most `limit`. A record that is committed later has
    /// a higher number than all that were read before.
    async fn usage_records(
        &self,
        filter: &UsageFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<UsageRecord>, StoreError>;

    /// The sums of what was used of each kind, in the order of [`UsageKind::ALL`]; none of what was not.
    ///
    /// [`UsageKind::ALL`]: crate::metering::UsageKind::ALL
    async fn usage_sums(&self, filter: &UsageFilter) -> Result<Vec<UsageSum>, StoreError>;
}

/// Reads accounts at certificate authorities, and how many certificates came from them.
#[async_trait]
pub trait AcmeReads: std::fmt::Debug + Send + Sync + 'static {
    /// The account at the authority of this directory.
    async fn acme_account(&self, directory: &str) -> Result<Option<AcmeAccount>, StoreError>;

    /// How many certificates were issued after this time, by the registered domain of their names.
    async fn issuances(&self, after: Timestamp) -> Result<BTreeMap<String, usize>, StoreError>;
}

/// Reads webhooks.
#[async_trait]
pub trait WebhookReads: std::fmt::Debug + Send + Sync + 'static {
    /// The webhook of this id, and how far it is.
    async fn webhook(&self, id: WebhookId) -> Result<Option<StoredWebhook>, StoreError>;

    /// Webhooks in the order of their ids.
    async fn webhooks(&self, page: &Page<WebhookId>) -> Result<Vec<StoredWebhook>, StoreError>;
}
