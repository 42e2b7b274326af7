//! Sessions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::access::Actor;
use wpaas_core::account::ApiKey;
use wpaas_core::id::{KeyId, UserId};
use wpaas_core::name::{Cid, Username};
use wpaas_core::service::{IssuedKey, Session};

use super::schema;
use crate::extract::SecretText;

/// `POST /sessions`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInDto {
    /// The customer of a user; left out, a customer itself signs in.
    pub cid: Option<Cid>,
    /// Of the user, or of the customer itself.
    pub username: Username,
    /// Its password.
    #[schema(value_type = schema::Password)]
    pub password: SecretText,
}

/// A session that has just begun, with its token, shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NewSessionView {
    /// What to send as `Authorization: Bearer …`.
    pub token: String,
    /// Whose.
    pub cid: Option<Cid>,
    /// Which user's; null for the customer itself.
    pub user_id: Option<UserId>,
    /// Names it; not secret.
    pub id: KeyId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl From<Session> for NewSessionView {
    fn from(Session { issued, actor }: Session) -> Self {
        let IssuedKey { key, text } = issued;
        let (cid, user_id) = match actor {
            Actor::Operator => (None, None),
            Actor::Customer(cid) => (Some(cid), None),
            Actor::User { cid, id, roles: _ } => (Some(cid), Some(id)),
        };
        let ApiKey { id, created_at, expires_at, .. } = key;
        Self { token: text.expose().to_owned(), cid, user_id, id, created_at, expires_at }
    }
}

/// A session, without its token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// Names it; not secret.
    pub id: KeyId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Whether this request uses it.
    pub current: bool,
}

impl SessionView {
    /// As it is kept; `current` is the one that asks.
    pub fn new(session: &ApiKey, current: Option<KeyId>) -> Self {
        let ApiKey { id, created_at, expires_at, last_used_at, .. } = *session;
        Self { id, created_at, expires_at, last_used_at, current: current == Some(id) }
    }
}
