use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::name::Cid;

/// Something that happened: who did what to which object, or what the converger did by itself and why.
/// Append-only, and written in the transaction of the change that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Grows with every event in the order of their commits, not always by one. None is used again, not even for what
    /// comes after a database has lost its last commits.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: NewEvent,
}

/// An event that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose; `None` for what concerns the installation.
    pub cid: Option<Cid>,
    /// In which org, where that can be said.
    pub org: Option<OrgId>,
    /// In which space, where that can be said.
    pub space: Option<SpaceId>,
    /// Who did it.
    pub who: Who,
    /// What was done.
    pub kind: EventKind,
    /// To what.
    pub subject: Subject,
    /// More, for people and programs; never a secret, nor what tells of a person: events outlive whom they tell of.
    pub detail: serde_json::Value,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Who {
    /// Runs the installation.
    Operator,
    /// The customer's own identity.
    Customer(Cid),
    /// A user.
    User(UserId),
    /// Somebody who has not signed in.
    Anonymous,
    /// This system, by itself.
    System,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each says what it is")]
pub enum EventKind {
    CustomerRegistered,
    CustomerUpdated,
    CustomerSuspended,
    CustomerResumed,
    CustomerDeletionRequested,
    CustomerDeletionCancelled,
    CustomerPurged,
    OrgCreated,
    OrgUpdated,
    OrgDeleted,
    SpaceCreated,
    SpaceUpdated,
    SpaceDeleted,
    UserCreated,
    UserUpdated,
    UserDeleted,
    KeyIssued,
    KeyRenewed,
    KeyRevoked,
    SessionStarted,
    SessionEnded,
    LoginLinked,
    LoginUnlinked,
    SiteCreated,
    SiteUpdated,
    SiteDeleted,
    SiteRestored,
    SitePurged,
    SiteConditionChanged,
    SiteDomainChanged,
    SiteCertificateChanged,
    SiteStepsTaken,
    SiteScaled,
    ReleaseReady,
    ReleaseFailed,
    ReleaseChangesSchema,
    ReleaseServed,
    ReleaseRefused,
    ReleaseRolledBack,
    WebhookCreated,
    WebhookUpdated,
    WebhookDeleted,
    WebhookKeyRenewed,
    WebhookReplayed,
    WebhookDisabled,
}

impl EventKind {
    /// The stable name: `site_created`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerRegistered => "customer_registered",
            Self::CustomerUpdated => "customer_updated",
            Self::CustomerSuspended => "customer_suspended",
            Self::CustomerResumed => "customer_resumed",
            Self::CustomerDeletionRequested => "customer_deletion_requested",
            Self::CustomerDeletionCancelled => "customer_deletion_cancelled",
            Self::CustomerPurged => "customer_purged",
            Self::OrgCreated => "org_created",
            Self::OrgUpdated => "org_updated",
            Self::OrgDeleted => "org_deleted",
            Self::SpaceCreated => "space_created",
            Self::SpaceUpdated => "space_updated",
            Self::SpaceDeleted => "space_deleted",
            Self::UserCreated => "user_created",
            Self::UserUpdated => "user_updated",
            Self::UserDeleted => "user_deleted",
            Self::KeyIssued => "key_issued",
            Self::KeyRenewed => "key_renewed",
            Self::KeyRevoked => "key_revoked",
            Self::SessionStarted => "session_started",
            Self::SessionEnded => "session_ended",
            Self::LoginLinked => "login_linked",
            Self::LoginUnlinked => "login_unlinked",
            Self::SiteCreated => "site_created",
            Self::SiteUpdated => "site_updated",
            Self::SiteDeleted => "site_deleted",
            Self::SiteRestored => "site_restored",
            Self::SitePurged => "site_purged",
            Self::SiteConditionChanged => "site_condition_changed",
            Self::SiteDomainChanged => "site_domain_changed",
            Self::SiteCertificateChanged => "site_certificate_changed",
            Self::SiteStepsTaken => "site_steps_taken",
            Self::SiteScaled => "site_scaled",
            Self::ReleaseReady => "release_ready",
            Self::ReleaseFailed => "release_failed",
            Self::ReleaseChangesSchema => "release_changes_schema",
            Self::ReleaseServed => "release_served",
            Self::ReleaseRefused => "release_refused",
            Self::ReleaseRolledBack => "release_rolled_back",
            Self::WebhookCreated => "webhook_created",
            Self::WebhookUpdated => "webhook_updated",
            Self::WebhookDeleted => "webhook_deleted",
            Self::WebhookKeyRenewed => "webhook_key_renewed",
            Self::WebhookReplayed => "webhook_replayed",
            Self::WebhookDisabled => "webhook_disabled",
        }
    }
}

/// To what it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Subject {
    Customer(Cid),
    Org(OrgId),
    Space(SpaceId),
    User(UserId),
    Key(KeyId),
    Site(SiteId),
    Webhook(WebhookId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => id.fmt(f),
            Self::Org(id) => id.fmt(f),
            Self::Space(id) => id.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
            Self::Site(id) => id.fmt(f),
            Self::Webhook(id) => id.fmt(f),
        }
    }
}

/// Of what events are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventScope {
    /// All.
    All,
    /// A customer's.
    Customer(Cid),
    /// An org's.
    Org(Cid, OrgId),
    /// A space's.
    Space(Cid, SpaceId),
    /// One site's.
    Site(Cid, SiteId),
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Of what.
    pub of: EventScope,
    /// Of this kind alone.
    pub kind: Option<EventKind>,
    /// Done by this one alone.
    pub who: Option<Who>,
    /// At this time or later.
    pub since: Option<Timestamp>,
}

impl From<EventScope> for EventFilter {
    fn from(of: EventScope) -> Self {
        Self { of, kind: None, who: None, since: None }
    }
}

impl EventFilter {
    /// Whether the event is one of them.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        let Event { seq: _, at, event } = event;
        let of = |cid: &Cid| event.cid.as_ref() == Some(cid);
        let is_within = match &self.of {
            EventScope::All => true,
            EventScope::Customer(cid) => of(cid),
            EventScope::Org(cid, org) => of(cid) && event.org == Some(*org),
            EventScope::Space(cid, space) => of(cid) && event.space == Some(*space),
            EventScope::Site(cid, site) => of(cid) && event.subject == Subject::Site(*site),
        };
        is_within
            && self.kind.is_none_or(|kind| event.kind == kind)
            && self.who.as_ref().is_none_or(|who| event.who == *who)
            && self.since.is_none_or(|since| *at >= since)
    }
}

impl fmt::Display for Who {
    /// `operator`, `anonymous`, `system`, or the id of the customer or user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Customer(cid) => cid.fmt(f),
            Self::User(id) => id.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::System => f.write_str("system"),
        }
    }
}

impl std::str::FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "operator" => Ok(Self::Operator),
            "anonymous" => Ok(Self::Anonymous),
            "system" => Ok(Self::System),
            _ => match (text.parse(), text.parse()) {
                (Ok(id), _) => Ok(Self::User(id)),
                (_, Ok(cid)) => Ok(Self::Customer(cid)),
                _ => Err("must be operator, anonymous, system, a customer's cid or a user's id"),
            },
        }
    }
}
