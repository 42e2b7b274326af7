//! API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::ApiKey;
use wpaas_core::id::KeyId;
use wpaas_core::service::{IssuedKey, NewKey};

use super::schema;
use crate::config::Period;

/// An API key, without the key itself.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct KeyView {
    /// Names it; not secret.
    pub id: KeyId,
    /// What its owner calls it.
    #[schema(value_type = schema::Label)]
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
    /// When it last opened something, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Whether its owner has taken it back.
    pub revoked: bool,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey {
            id,
            kind: _,
            identity: _,
            label,
            hash: _,
            created_at,
            expires_at,
            last_used_at,
            revoked,
            version: _,
        } = key;
        Self { id, label, created_at, expires_at, last_used_at, revoked }
    }
}

/// A new key, shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NewKeyView {
    /// What to send as `Authorization: Bearer …`.
    pub key: String,
    /// What is known of it later.
    #[serde(flatten)]
    pub about: KeyView,
}

impl From<IssuedKey> for NewKeyView {
    fn from(IssuedKey { key, text }: IssuedKey) -> Self {
        Self { key: text.expose().to_owned(), about: key.into() }
    }
}

/// `POST …/keys`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeyDto {
    #[serde(default)]
    #[schema(value_type = schema::Label)]
    label: String,
    #[schema(value_type = Option<schema::Lifetime>)]
    lifetime: Option<Period>,
}

impl From<NewKeyDto> for NewKey {
    fn from(NewKeyDto { label, lifetime }: NewKeyDto) -> Self {
        Self { label, lifetime: lifetime.map(Period::as_signed) }
    }
}
