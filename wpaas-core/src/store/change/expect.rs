use jiff::Timestamp;

use crate::account::Version;
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::name::{Cid, Hostname, Slug, Username};
use crate::quota::{Quota, Usage};

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
    /// There is such a spare, and nobody has taken it.
    SpareKept(SiteId),
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
