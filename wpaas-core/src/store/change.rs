use jiff::Timestamp;

use super::{AcmeAccount, Idempotent, NewEvent, PendingLogin, SealedSecret, StoredStatus};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, Lifecycle, Org, Space, User, Version};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::lockout::NameDigest;
use crate::metering::Look;
use crate::name::{Cid, Hostname, Slug, Username};
use crate::quota::{Quota, QuotaExceeded, Usage, VolumeSizes};
use crate::secret::SecretName;
use crate::site::{CertificateName, Site, Tombstone};
use crate::webhook::{Delivery, Webhook};

/// Something to write, as a value: what must be true, what to write, what to tell. All or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it is done, as the events tell.
    pub at: Timestamp,
    /// Whether it stays.
    pub mode: Mode,
    /// Whether nobody waits for it: where many changes wait, those that somebody waits for go first.
    pub aside: bool,
    /// Checked first, in this order, in the transaction.
    pub expect: Vec<Expect>,
    /// Done in this order.
    pub writes: Vec<Write>,
    /// Told of it, in this order.
    pub events: Vec<NewEvent>,
}

impl Change {
    /// Nothing yet, at this time.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        let mode = Mode::Commit;
        Self { at, mode, aside: false, expect: Vec::new(), writes: Vec::new(), events: Vec::new() }
    }

    /// Though nobody waits for it.
    #[must_use]
    pub const fn aside(mut self) -> Self {
        self.aside = true;
        self
    }

    /// Only if this is true.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    /// And this.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// And this is told.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Whether it would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.events.is_empty()
    }
}

/// Whether a change stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Commit,
    /// Everything is checked as if, and nothing stays.
    DryRun,
}

/// A record that has a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Record {
    Customer(Cid),
    Org(OrgId),
    Space(SpaceId),
    User(UserId),
    Key(KeyId),
    Site(SiteId),
    Webhook(WebhookId),
    /// Of this webhook.
    Delivery(WebhookId),
    /// At the authority of this directory.
    AcmeAccount(String),
}

/// What must be true in the transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// The customer is there and active.
    CustomerActive(Cid),
    /// The customer is there, active or suspended: the system may make defaults for it.
    CustomerPresent(Cid),
    /// The record is there, and of this version.
    Version(Record, Version),
    /// The record is there.
    Present(Record),
    /// The record is not there; a site also was never there.
    Absent(Record),
    /// The id was never given to a customer.
    CidUnused(Cid),
    /// No customer signs in with this name.
    LoginFree(Username),
    /// No org of the customer has this name.
    OrgNameFree(Cid, Slug),
    /// No space of the org has this name.
    SpaceNameFree(OrgId, Slug),
    /// No site of the org has this name, not even one that is being deleted.
    SiteNameFree(OrgId, Slug),
    /// No other site has any of these domains.
    DomainsFree(SiteId, Vec<Hostname>),
    /// No user of the customer has this name.
    UsernameFree(Cid, Username),
    /// The org has no spaces, and no sites but those whose grace is over.
    OrgEmpty(OrgId),
    /// The space has no sites but those whose grace is over.
    SpaceEmpty(SpaceId),
    /// The quotas of org and space allow a site to use so much.
    QuotaAllows {
        /// Whose quota.
        org: OrgId,
        /// Whose quota.
        space: SpaceId,
        /// The site as it is stored; `None` for a new one. What it uses now is taken off.
        site: Option<SiteId>,
        /// What the site will use.
        usage: Usage,
    },
    /// A space's quota fits in its org's, as that is now.
    QuotaFitsOrg(OrgId, Quota),
    /// All spaces' quotas fit in the quota that the org will have.
    QuotaCoversSpaces(OrgId, Quota),
    /// The customer has this further payment account.
    PaymentAccount(Cid, Slug),
    /// No org of the customer references this payment account.
    PaymentAccountUnused(Cid, Slug),
    /// There are fewer webhooks than this.
    WebhooksBelow(u64),
    /// Nobody is signed in by this account of this issuer.
    ExternalLoginFree(String, String),
    /// The login that has begun with this state is there, so nobody has taken it yet.
    LoginPending([u8; 32]),
    /// Nothing is kept for the principal's idempotency key of a request that began at this time or later.
    IdempotencyUnused(String, String, Timestamp),
    /// What is kept for the principal's idempotency key is of the request that began at this time.
    IdempotencyHeld(String, String, Timestamp),
}

/// What to write. An update is refused unless the stored version is exactly one less than the one given,
/// so no update is ever lost.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Write {
    InsertCustomer(Customer),
    UpdateCustomer(Customer),
    InsertOrg(Org),
    UpdateOrg(Org),
    /// With this version.
    DeleteOrg(OrgId, Version),
    InsertSpace(Space),
    UpdateSpace(Space),
    /// With this version.
    DeleteSpace(SpaceId, Version),
    InsertUser(User),
    UpdateUser(User),
    /// With this version; its password and its keys go with it.
    DeleteUser(UserId, Version),
    /// Sets or replaces the hash of a password.
    SetPassword(Identity, String),
    /// One more for this name, at this time, with [`crate::lockout::Failures::and_one`]. What counts no more by then is
    /// forgotten, whatever name it is of.
    CountWrongPassword(NameDigest, Timestamp),
    /// The name is as new.
    ForgetWrongPasswords(NameDigest),
    /// Takes away password, keys, sessions and linked accounts.
    DeleteCredentials(Identity),
    InsertExternalLogin(ExternalLogin),
    /// Of this identity, issuer and subject.
    DeleteExternalLogin(Identity, String, String),
    InsertPendingLogin(PendingLogin),
    /// Takes the login that has begun with this state: one of many at once does.
    TakePendingLogin([u8; 32]),
    /// What expired before this time is forgotten.
    ExpirePendingLogins(Timestamp),
    InsertKey(ApiKey),
    /// When it was used stays as it is.
    UpdateKey(ApiKey),
    /// Notes when a key was used.
    TouchKey(KeyId, Timestamp),
    /// Nothing stays of the key.
    DeleteKey(KeyId),
    /// Ends all sessions of an identity.
    DeleteSessions(Identity),
    /// A site with what it uses of the quotas.
    InsertSite(Site, Usage),
    /// A site with what it uses of the quotas. Whose the domains were that it had is remembered.
    UpdateSite(Site, Usage),
    /// The site of this version, its status and its secrets go; the tombstone stays, and whose its domains were.
    PurgeSite(Tombstone, Version),
    /// Replaces what was found of a site; nothing happens when that is gone.
    RecordStatus(SiteId, Box<StoredStatus>),
    /// Takes a look into the site's meters with [`crate::metering::advance`], and adds what is complete by it to
    /// the usage records, volumes of these sizes; nothing happens when the site is gone.
    Meter(Look, VolumeSizes),
    /// Versions are never replaced.
    InsertSecret(SealedSecret),
    /// Of this version; nothing happens when it is not there.
    DeleteSecret(SiteId, SecretName, u64),
    /// Puts the hash in the place of the admin's password of the same version; nothing happens when that is gone.
    HashPassword(SealedSecret),
    /// With where its delivery begins.
    InsertWebhook(Webhook, Delivery),
    UpdateWebhook(Webhook),
    /// With this version; its delivery goes with it.
    DeleteWebhook(WebhookId, Version),
    UpdateDelivery(Delivery),
    InsertAcmeAccount(AcmeAccount),
    UpdateAcmeAccount(AcmeAccount),
    /// One more certificate of this name, at this time. What the budget counts no more by then is forgotten.
    CountIssuance(CertificateName, Timestamp),
    /// Sets or replaces what is kept for an idempotency key.
    PutIdempotent(Idempotent),
    /// What began before this time is forgotten.
    ExpireIdempotent(Timestamp),
}

impl Write {
    /// The record that is there once this is done.
    #[must_use]
    pub fn makes(&self) -> Option<Record> {
        match self {
            Self::InsertCustomer(new) => Some(Record::Customer(new.cid.clone())),
            Self::InsertOrg(new) => Some(Record::Org(new.id)),
            Self::InsertSpace(new) => Some(Record::Space(new.id)),
            Self::InsertUser(new) => Some(Record::User(new.id)),
            Self::InsertSite(new, _) => Some(Record::Site(new.id)),
            _ => None,
        }
    }

    /// What the write itself needs to be true, whoever asks for it; checked right before it.
    #[must_use]
    pub fn implied(&self) -> Vec<Expect> {
        let before = |version: Version| version.saturating_sub(1);
        match self {
            Self::InsertCustomer(new) => {
                vec![Expect::CidUnused(new.cid.clone()), Expect::LoginFree(new.username.clone())]
            }
            Self::UpdateCustomer(new) => {
                vec![Expect::Version(Record::Customer(new.cid.clone()), before(new.version))]
            }
            Self::InsertOrg(new) => vec![
                Expect::Present(Record::Customer(new.cid.clone())),
                Expect::Absent(Record::Org(new.id)),
                Expect::OrgNameFree(new.cid.clone(), new.name.clone()),
            ],
            Self::UpdateOrg(new) => vec![Expect::Version(Record::Org(new.id), before(new.version))],
            Self::DeleteOrg(id, version) => {
                vec![Expect::Version(Record::Org(*id), *version), Expect::OrgEmpty(*id)]
            }
            Self::InsertSpace(new) => vec![
                Expect::Present(Record::Org(new.org)),
                Expect::Absent(Record::Space(new.id)),
                Expect::SpaceNameFree(new.org, new.name.clone()),
            ],
            Self::UpdateSpace(new) => vec![Expect::Version(Record::Space(new.id), before(new.version))],
            Self::DeleteSpace(id, version) => {
                vec![Expect::Version(Record::Space(*id), *version), Expect::SpaceEmpty(*id)]
            }
            Self::InsertUser(new) => vec![
                Expect::Present(Record::Customer(new.cid.clone())),
                Expect::Absent(Record::User(new.id)),
                Expect::UsernameFree(new.cid.clone(), new.username.clone()),
            ],
            Self::UpdateUser(new) => vec![Expect::Version(Record::User(new.id), before(new.version))],
            Self::DeleteUser(id, version) => vec![Expect::Version(Record::User(*id), *version)],
            Self::InsertKey(new) => vec![Expect::Absent(Record::Key(new.id))],
            Self::UpdateKey(new) => vec![Expect::Version(Record::Key(new.id), before(new.version))],
            Self::InsertExternalLogin(new) => {
                vec![Expect::ExternalLoginFree(new.issuer.clone(), new.subject.clone())]
            }
            Self::TakePendingLogin(state) => vec![Expect::LoginPending(*state)],
            Self::InsertSite(new, _) => vec![
                Expect::Present(Record::Space(new.space)),
                Expect::Absent(Record::Site(new.id)),
                Expect::SiteNameFree(new.org, new.name.clone()),
                domains_free(new),
            ],
            Self::UpdateSite(new, _) => {
                vec![Expect::Version(Record::Site(new.id), before(new.version)), domains_free(new)]
            }
            Self::PurgeSite(stone, version) => vec![Expect::Version(Record::Site(stone.id), *version)],
            Self::InsertSecret(new) => vec![Expect::Present(Record::Site(new.site))],
            Self::InsertWebhook(new, _) => vec![Expect::Absent(Record::Webhook(new.id))],
            Self::UpdateWebhook(new) => vec![Expect::Version(Record::Webhook(new.id), before(new.version))],
            Self::DeleteWebhook(id, version) => vec![Expect::Version(Record::Webhook(*id), *version)],
            Self::UpdateDelivery(new) => {
                vec![Expect::Version(Record::Delivery(new.webhook), before(new.version))]
            }
            Self::InsertAcmeAccount(new) => vec![Expect::Absent(Record::AcmeAccount(new.directory.clone()))],
            Self::UpdateAcmeAccount(new) => {
                vec![Expect::Version(Record::AcmeAccount(new.directory.clone()), before(new.version))]
            }
            Self::SetPassword(..)
            | Self::CountIssuance(..)
            | Self::CountWrongPassword(..)
            | Self::ForgetWrongPasswords(_)
            | Self::DeleteCredentials(_)
            | Self::DeleteExternalLogin(..)
            | Self::InsertPendingLogin(_)
            | Self::ExpirePendingLogins(_)
            | Self::DeleteKey(_)
            | Self::DeleteSessions(_)
            | Self::DeleteSecret(..)
            | Self::HashPassword(_)
            | Self::TouchKey(..)
            | Self::RecordStatus(..)
            | Self::Meter(..)
            | Self::PutIdempotent(_)
            | Self::ExpireIdempotent(_) => Vec::new(),
        }
    }

    /// The site of which something else is wanted after this.
    #[must_use]
    pub fn changed_site(&self) -> Option<SiteId> {
        match self {
            Self::InsertSite(site, _) | Self::UpdateSite(site, _) => Some(site.id),
            Self::PurgeSite(stone, _) => Some(stone.id),
            _ => None,
        }
    }

    /// The customer that changes by this.
    #[must_use]
    pub fn changed_customer(&self) -> Option<&Cid> {
        match self {
            Self::InsertCustomer(customer) | Self::UpdateCustomer(customer) => Some(&customer.cid),
            _ => None,
        }
    }
}

fn domains_free(site: &Site) -> Expect {
    Expect::DomainsFree(site.id, site.domains.held().cloned().collect())
}

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An expectation was not met; nothing was written.
    #[error("what was expected is not so: {0:?}")]
    Violated(Violation),
    /// What is stored can't be understood.
    #[error("a record of the store can't be read: {what}")]
    Corrupt {
        /// Which, and why.
        what: String,
    },
    /// The database was written by a newer version of this program.
    #[error("the database has schema {found}, this program knows {known}: use the program that wrote it")]
    TooNew {
        /// Of the database.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The database could not be reached, read or written.
    #[error("the database can't be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An expectation that was not met, and what is there instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// There is no such customer.
    CustomerAbsent,
    /// The customer is not active.
    CustomerInactive(Lifecycle),
    /// The record is of another version.
    Version {
        /// Which.
        record: Record,
        /// The one that is stored; `None` when the record is gone.
        found: Option<Version>,
    },
    /// The record is not there.
    Absent(Record),
    /// The record is there.
    Present(Record),
    /// The id was given before.
    CidUsed(Cid),
    /// A name or an id is taken; the expectation that says which.
    Taken(Box<Expect>),
    /// Something is inside.
    NotEmpty {
        /// Spaces.
        spaces: u64,
        /// Sites.
        sites: u64,
    },
    /// The org's quota would be passed.
    OrgQuota(QuotaExceeded),
    /// The space's quota would be passed.
    SpaceQuota(QuotaExceeded),
    /// A space's quota would be above its org's.
    QuotaAboveOrg,
    /// The customer has no such payment account.
    PaymentAccountAbsent,
    /// This org references the payment account.
    PaymentAccountUsed(Slug),
    /// There are as many webhooks as this.
    WebhooksAt(u64),
    /// The login was taken, or never begun.
    LoginNotPending,
    /// The idempotency key was used before.
    IdempotencyUsed,
    /// What is kept for the idempotency key is another request's, or nothing is any more.
    IdempotencyLost,
}
