//! API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::ApiKey;
use wpaas_core::id::KeyId;
use wpaas_core::service::{IssuedKey, NewKey};

use super::list::{Cursor, Limit};
use crate::config::Period;

/// An API key, without the key itself.
#[derive(Debug, Serialize)]
pub struct KeyView {
    /// Names it; not secret.
    pub id: KeyId,
    /// What its owner calls it.
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
        } = key;
        Self { id, label, created_at, expires_at, last_used_at, revoked }
    }
}

/// A new key, shown this once.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeyDto {
    #[serde(default)]
    label: String,
    lifetime: Option<Period>,
}

/// `GET …/keys` and `GET /sessions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyQuery {
    /// Where the page before ended.
    pub cursor: Option<Cursor<KeyId>>,
    /// How many at a time.
    pub limit: Option<Limit>,
}

impl From<NewKeyDto> for NewKey {
    fn from(NewKeyDto { label, lifetime }: NewKeyDto) -> Self {
        Self { label, lifetime: lifetime.map(Period::as_signed) }
    }
}
