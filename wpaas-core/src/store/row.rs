//! Rows apart from the domain: the `doc` columns. Each conversion names every field, both ways, so that a new
//! field of the domain breaks the build here instead of getting lost.

use std::collections::BTreeMap;

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

/// A row of all fields of a record, and both conversions, each of which names all of them.
macro_rules! rows {
    ($($row:ident of $record:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            #[derive(Serialize, Deserialize)]
            pub(super) struct $row {
                $($field: $type,)*
            }

            impl From<$record> for $row {
                fn from(record: $record) -> Self {
                    let $record { $($field),* } = record;
                    Self { $($field),* }
                }
            }

            impl From<$row> for $record {
                fn from(row: $row) -> Self {
                    let $row { $($field),* } = row;
                    Self { $($field),* }
                }
            }
        )*
    };
}

rows! {
    CustomerRow of Customer {
        cid: Cid,
        name: String,
        email: Email,
        username: Username,
        plan: CustomerPlan,
        lifecycle: Lifecycle,
        payment: Payment,
        payment_accounts: BTreeMap<Slug, Payment>,
        created_at: Timestamp,
        version: u64,
    }
    OrgRow of Org {
        id: OrgId,
        cid: Cid,
        name: Slug,
        description: String,
        quota: Quota,
        payment_account: Option<Slug>,
        created_at: Timestamp,
        version: u64,
    }
    SpaceRow of Space {
        id: SpaceId,
        cid: Cid,
        org: OrgId,
        name: Slug,
        description: String,
        quota: Quota,
        created_at: Timestamp,
        version: u64,
    }
    UserRow of User {
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
    SiteRow of Site {
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
        domains: DomainClaims,
        scaled: Option<Scaled>,
        certificates: Certificates,
        created_at: Timestamp,
        version: u64,
    }
    StatusRow of StoredStatus {
        status: SiteStatus,
        founded: bool,
        recorded_at: Timestamp,
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
    version: u64,
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
        let ApiKey {
            id,
            kind,
            identity,
            label,
            hash,
            created_at,
            expires_at,
            last_used_at: _,
            revoked,
            version,
        } = key;
        Self { id, kind, identity: identity.into(), label, hash, created_at, expires_at, revoked, version }
    }
}

impl KeyRow {
    pub(super) fn key(self, last_used_at: Option<Timestamp>) -> ApiKey {
        let Self { id, kind, identity, label, hash, created_at, expires_at, revoked, version } = self;
        let identity = identity.into();
        ApiKey { id, kind, identity, label, hash, created_at, expires_at, last_used_at, revoked, version }
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
