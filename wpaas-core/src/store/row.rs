//! Rows apart from the domain: the `doc` columns. Each conversion names every field, both ways, so that a new
//! field of the domain breaks the build here instead of getting lost.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Event, NewEvent, StoreError, StoredStatus, Subject, Who};
use crate::account::{
    ApiKey, Customer, CustomerPlan, ExternalLogin, Identity, KeyKind, Lifecycle, Org, Payment, RoleGrant,
    Space, User,
};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId};
use crate::name::{Cid, Email, Slug, Username};
use crate::quota::Quota;
use crate::site::{
    Certificates, CodeState, DomainClaims, Releases, Scaled, Site, SiteLifecycle, SiteSpec, SiteStatus,
};

mod webhook;

pub(super) use webhook::{DeliveryRow, WebhookRow};

/// A record as JSON text.
pub(super) fn write<T: Serialize>(row: &T) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|error| StoreError::Corrupt { what: error.to_string() })
}

/// A record from JSON text.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt { what: format!("{}: {error}", std::any::type_name::<T>()) })
}

#[derive(Serialize, Deserialize)]
pub(super) struct CustomerRow {
    cid: Cid,
    name: String,
    email: Email,
    username: Username,
    plan: CustomerPlan,
    lifecycle: Lifecycle,
    payment: Payment,
    created_at: Timestamp,
    version: u64,
}

impl From<Customer> for CustomerRow {
    fn from(customer: Customer) -> Self {
        let Customer { cid, name, email, username, plan, lifecycle, payment, created_at, version } = customer;
        Self { cid, name, email, username, plan, lifecycle, payment, created_at, version }
    }
}

impl From<CustomerRow> for Customer {
    fn from(row: CustomerRow) -> Self {
        let CustomerRow { cid, name, email, username, plan, lifecycle, payment, created_at, version } = row;
        Self { cid, name, email, username, plan, lifecycle, payment, created_at, version }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct OrgRow {
    id: OrgId,
    cid: Cid,
    name: Slug,
    description: String,
    quota: Quota,
    payment: Option<Payment>,
    created_at: Timestamp,
    version: u64,
}

impl From<Org> for OrgRow {
    fn from(org: Org) -> Self {
        let Org { id, cid, name, description, quota, payment, created_at, version } = org;
        Self { id, cid, name, description, quota, payment, created_at, version }
    }
}

impl From<OrgRow> for Org {
    fn from(row: OrgRow) -> Self {
        let OrgRow { id, cid, name, description, quota, payment, created_at, version } = row;
        Self { id, cid, name, description, quota, payment, created_at, version }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SpaceRow {
    id: SpaceId,
    cid: Cid,
    org: OrgId,
    name: Slug,
    description: String,
    quota: Quota,
    created_at: Timestamp,
    version: u64,
}

impl From<Space> for SpaceRow {
    fn from(space: Space) -> Self {
        let Space { id, cid, org, name, description, quota, created_at, version } = space;
        Self { id, cid, org, name, description, quota, created_at, version }
    }
}

impl From<SpaceRow> for Space {
    fn from(row: SpaceRow) -> Self {
        let SpaceRow { id, cid, org, name, description, quota, created_at, version } = row;
        Self { id, cid, org, name, description, quota, created_at, version }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct UserRow {
    id: UserId,
    cid: Cid,
    username: Username,
    name: String,
    email: Email,
    enabled: bool,
    roles: Vec<RoleGrant>,
    created_at: Timestamp,
    version: u64,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        let User { id, cid, username, name, email, enabled, roles, created_at, version } = user;
        Self { id, cid, username, name, email, enabled, roles, created_at, version }
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let UserRow { id, cid, username, name, email, enabled, roles, created_at, version } = row;
        Self { id, cid, username, name, email, enabled, roles, created_at, version }
    }
}

/// Everything of a key but when it was used, which is a column of its own.
#[derive(Serialize, Deserialize)]
pub(super) struct KeyRow {
    id: KeyId,
    kind: KeyKind,
    identity: IdentityRow,
    label: String,
    hash: [u8; 32],
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum IdentityRow {
    Operator,
    Customer(Cid),
    User(Cid, UserId),
}

impl From<ApiKey> for KeyRow {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, kind, identity, label, hash, created_at, expires_at, last_used_at: _, revoked } =
            key;
        Self { id, kind, identity: identity.into(), label, hash, created_at, expires_at, revoked }
    }
}

impl KeyRow {
    pub(super) fn key(self, last_used_at: Option<Timestamp>) -> ApiKey {
        let Self { id, kind, identity, label, hash, created_at, expires_at, revoked } = self;
        let identity = identity.into();
        ApiKey { id, kind, identity, label, hash, created_at, expires_at, last_used_at, revoked }
    }
}

impl From<Identity> for IdentityRow {
    fn from(identity: Identity) -> Self {
        match identity {
            Identity::Operator => Self::Operator,
            Identity::Customer(cid) => Self::Customer(cid),
            Identity::User(cid, user) => Self::User(cid, user),
        }
    }
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        match row {
            IdentityRow::Operator => Self::Operator,
            IdentityRow::Customer(cid) => Self::Customer(cid),
            IdentityRow::User(cid, user) => Self::User(cid, user),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ExternalLoginRow {
    issuer: String,
    subject: String,
    identity: IdentityRow,
    label: String,
    created_at: Timestamp,
}

impl From<ExternalLogin> for ExternalLoginRow {
    fn from(login: ExternalLogin) -> Self {
        let ExternalLogin { issuer, subject, identity, label, created_at } = login;
        Self { issuer, subject, identity: identity.into(), label, created_at }
    }
}

impl From<ExternalLoginRow> for ExternalLogin {
    fn from(row: ExternalLoginRow) -> Self {
        let ExternalLoginRow { issuer, subject, identity, label, created_at } = row;
        Self { issuer, subject, identity: identity.into(), label, created_at }
    }
}

/// The text that a kind of key is found by.
pub(super) const fn key_kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Api => "api",
        KeyKind::Session => "session",
    }
}

/// The text that an identity is found by.
pub(super) fn identity(identity: &Identity) -> String {
    match identity {
        Identity::Operator => "operator".to_owned(),
        Identity::Customer(cid) => format!("customer/{cid}"),
        Identity::User(_, user) => user.to_string(),
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SiteRow {
    id: SiteId,
    cid: Cid,
    org: OrgId,
    space: SpaceId,
    name: Slug,
    generation: u64,
    spec: SiteSpec,
    lifecycle: SiteLifecycle,
    releases: Releases,
    code: CodeState,
    #[serde(default)]
    domains: DomainClaims,
    #[serde(default)]
    scaled: Option<Scaled>,
    #[serde(default)]
    certificates: Certificates,
    created_at: Timestamp,
    version: u64,
}

impl From<Site> for SiteRow {
    fn from(site: Site) -> Self {
        let Site {
            id,
            cid,
            org,
            space,
            name,
            generation,
            spec,
            lifecycle,
            releases,
            code,
            domains,
            scaled,
            certificates,
            created_at,
            version,
        } = site;
        Self {
            id,
            cid,
            org,
            space,
            name,
            generation,
            spec,
            lifecycle,
            releases,
            code,
            domains,
            scaled,
            certificates,
            created_at,
            version,
        }
    }
}

impl From<SiteRow> for Site {
    fn from(row: SiteRow) -> Self {
        let SiteRow {
            id,
            cid,
            org,
            space,
            name,
            generation,
            spec,
            lifecycle,
            releases,
            code,
            domains,
            scaled,
            certificates,
            created_at,
            version,
        } = row;
        Self {
            id,
            cid,
            org,
            space,
            name,
            generation,
            spec,
            lifecycle,
            releases,
            code,
            domains,
            scaled,
            certificates,
            created_at,
            version,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StatusRow {
    status: SiteStatus,
    founded: bool,
    recorded_at: Timestamp,
}

impl From<StoredStatus> for StatusRow {
    fn from(stored: StoredStatus) -> Self {
        let StoredStatus { status, founded, recorded_at } = stored;
        Self { status, founded, recorded_at }
    }
}

impl From<StatusRow> for StoredStatus {
    fn from(row: StatusRow) -> Self {
        let StatusRow { status, founded, recorded_at } = row;
        Self { status, founded, recorded_at }
    }
}

/// Everything of an event but its number.
#[derive(Serialize, Deserialize)]
pub(super) struct EventRow {
    at: Timestamp,
    cid: Option<Cid>,
    org: Option<OrgId>,
    space: Option<SpaceId>,
    who: Who,
    kind: super::EventKind,
    subject: Subject,
    detail: serde_json::Value,
}

impl EventRow {
    pub(super) fn new(at: Timestamp, event: NewEvent) -> Self {
        let NewEvent { cid, org, space, who, kind, subject, detail } = event;
        Self { at, cid, org, space, who, kind, subject, detail }
    }

    pub(super) fn event(self, seq: u64) -> Event {
        let Self { at, cid, org, space, who, kind, subject, detail } = self;
        Event { seq, at, event: NewEvent { cid, org, space, who, kind, subject, detail } }
    }
}
