//! Customers, their orgs, spaces and users, and the keys that these sign in with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::defaults::NAMESPACE;
use crate::id::{KeyId, LoginId, OrgId, SpaceId, UserId};
use crate::name::{Cid, Email, Slug, Username};
use crate::quota::Quota;

/// Grows by one with every change of a stored record; what `ETag` and `If-Match` compare.
pub type Version = u64;

/// Who pays, and owns orgs, spaces, users and sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Immutable and never used again.
    pub cid: Cid,
    /// As people write it.
    pub name: String,
    /// Where the customer is reached.
    pub email: Email,
    /// What the customer's own identity signs in with.
    pub username: Username,
    /// Free or paid.
    pub plan: CustomerPlan,
    /// Where it stands between registration and purge.
    pub lifecycle: Lifecycle,
    /// The payment account that its orgs are billed to, unless they reference another.
    pub payment: Payment,
    /// Further payment accounts, so that orgs can be billed apart.
    pub payment_accounts: BTreeMap<Slug, Payment>,
    /// When it registered.
    pub created_at: Timestamp,
    /// Of this record.
    pub version: Version,
}

/// What a customer has booked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CustomerPlan {
    /// Pays nothing.
    #[default]
    Free,
    /// Pays.
    Paid,
}

/// Where a customer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Lifecycle {
    /// Everything is allowed.
    Active,
    /// Reads go on, writes don't; sites rest with their data kept.
    Suspended,
    /// Removed for good once `purge_after` has passed; can be cancelled until then.
    ToBeRemoved {
        /// The end of the grace period.
        purge_after: Timestamp,
        /// Whether it was suspended before, and is again when this is cancelled.
        was_suspended: bool,
    },
    /// Nothing is left but this record and the cid's reservation.
    Purged,
}

/// A payment account: what a billing system knows who pays by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The payer's identifier there.
    pub identifier: Option<String>,
    /// The payment status there.
    pub status_id: Option<String>,
}

/// A place of its own for sites: isolated from every other org, also of the same customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Derived from the cid for the default org.
    pub id: OrgId,
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Over all spaces.
    pub quota: Quota,
    /// Which of the customer's further payment accounts it is billed to; the customer's own without one.
    pub payment_account: Option<Slug>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record.
    pub version: Version,
}

/// A part of an org, with a quota and roles of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Derived from the org's id for the default space.
    pub id: SpaceId,
    /// Whose.
    pub cid: Cid,
    /// In which org.
    pub org: OrgId,
    /// Unique in the org.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Never above the org's.
    pub quota: Quota,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record.
    pub version: Version,
}

/// A person or program that works for a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Stays when the user name is given to somebody else.
    pub id: UserId,
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub username: Username,
    /// As people write it.
    pub name: String,
    /// Where the user is reached.
    pub email: Email,
    /// A disabled user's password and keys open nothing.
    pub enabled: bool,
    /// What the user may do, and where.
    pub roles: Vec<RoleGrant>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record.
    pub version: Version,
}

/// A role at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "scope")]
pub enum RoleGrant {
    /// In an org and all its spaces.
    Org {
        /// Where.
        org: OrgId,
        /// What.
        role: OrgRole,
    },
    /// In one space.
    Space {
        /// The space's org.
        org: OrgId,
        /// Where.
        space: SpaceId,
        /// What.
        role: SpaceRole,
    },
}

/// What a user may do in an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrgRole {
    /// Manages the org, its spaces and its sites.
    Manager,
    /// Reads what is billed.
    Billing,
    /// Reads all.
    Auditor,
}

/// What a user may do in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SpaceRole {
    /// Manages the space and its sites.
    Manager,
    /// Manages its sites.
    Developer,
    /// Reads.
    Viewer,
}

/// Who a key or a password speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Runs the installation.
    Operator,
    /// The customer itself.
    Customer(Cid),
    /// One of its users.
    User(Cid, UserId),
}

/// What a key is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// An API key: made by name, for programs, renewed after a time.
    #[default]
    Api,
    /// A session: given for a password or by an identity provider, ends by itself soon.
    Session,
}

/// An API key or a session as it is kept: never the text that is presented, only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key, not secret.
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// Who it speaks for.
    pub identity: Identity,
    /// What its owner calls it.
    pub label: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
    /// When it last opened something, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Whether its owner has taken it back.
    pub revoked: bool,
    /// Of this record, whenever it was used.
    pub version: Version,
}

/// Somebody's account at an identity provider, and whom it signs in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalLogin {
    /// The provider, by the URL that it calls itself.
    pub issuer: String,
    /// The account there; the provider never gives it to somebody else.
    pub subject: String,
    /// Whom it signs in.
    pub identity: Identity,
    /// What the account is shown as, such as its e-mail address.
    pub label: String,
    /// When it was linked.
    pub created_at: Timestamp,
}

impl ExternalLogin {
    /// Names the account; derived from issuer and subject.
    #[must_use]
    pub fn id(&self) -> LoginId {
        let Self { issuer, subject, .. } = self;
        LoginId::from_uuid(Uuid::new_v5(&NAMESPACE, format!("login/{issuer}\n{subject}").as_bytes()))
    }
}

impl ApiKey {
    /// Whether the key opens anything at this time.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.expires_at
    }
}

impl Customer {
    /// What the API shows as `status`: plan and lifecycle in one word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (self.lifecycle, self.plan) {
            (Lifecycle::Active, CustomerPlan::Free) => "free",
            (Lifecycle::Active, CustomerPlan::Paid) => "paid",
            (Lifecycle::Suspended, _) => "suspended",
            (Lifecycle::ToBeRemoved { .. }, _) => "to_be_removed",
            (Lifecycle::Purged, _) => "purged",
        }
    }
}
