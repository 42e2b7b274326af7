//! `/users/{cid}/{username}/keys`, and `/customers/{cid}/keys` for the customer's own identity.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use wpaas_core::account::{ApiKey, Identity};
use wpaas_core::id::KeyId;
use wpaas_core::name::{Cid, Username};
use wpaas_core::service::IssuedKey;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::key::{KeyView, NewKeyDto, NewKeyView};
use crate::dto::list::{ListView, PageQuery};
use crate::extract::{Body, Path, Query};
use crate::problem::Problem;
use crate::state::AppState;

/// Whose keys.
#[derive(Debug, Deserialize)]
pub struct Owner {
    cid: Cid,
    username: Option<Username>,
}

/// Which key of whom.
#[derive(Debug, Deserialize)]
pub struct OwnedKey {
    cid: Cid,
    username: Option<Username>,
    key: KeyId,
}

impl Owner {
    fn path(&self) -> String {
        match &self.username {
            Some(username) => format!("/users/{}/{username}/keys", self.cid),
            None => format!("/customers/{}/keys", self.cid),
        }
    }

    async fn identity(&self, state: &AppState, caller: &Caller) -> Result<Identity, Problem> {
        let Some(username) = &self.username else { return Ok(Identity::Customer(self.cid.clone())) };
        let user = state.service.user(&caller.0, &self.cid, username).await?;
        Ok(Identity::User(user.cid, user.id))
    }
}

impl OwnedKey {
    /// Only a key of the owner that the path names.
    async fn found(self, state: &AppState, caller: &Caller) -> Result<(Owner, ApiKey), Problem> {
        let Self { cid, username, key } = self;
        let owner = Owner { cid, username };
        let identity = owner.identity(state, caller).await?;
        Ok((owner, state.service.key(&caller.0, &identity, key).await?))
    }
}

fn issued(owner: &Owner, issued: IssuedKey) -> Answer<NewKeyView> {
    let place = format!("{}/{}", owner.path(), issued.key.id);
    Answer::created(issued.into(), place)
}

/// Issues a key, shown this once.
#[utoipa::path(post, path = "", tag = "keys", request_body = NewKeyDto, responses((status = 201, description = "The key, shown this once", body = NewKeyView)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(owner): Path<Owner>,
    Body(dto): Body<NewKeyDto>,
) -> Result<Answer<NewKeyView>, Problem> {
    let identity = owner.identity(&state, &caller).await?;
    let key = state.service.create_key(&caller.0, &identity, dto.into(), Timestamp::now()).await?;
    Ok(issued(&owner, key))
}

/// The keys, without what is secret of them.
#[utoipa::path(get, path = "", tag = "keys", params(PageQuery<KeyId>), responses((status = 200, description = "A page of keys", body = ListView<KeyView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(owner): Path<Owner>,
    Query(query): Query<PageQuery<KeyId>>,
) -> Result<Answer<ListView<KeyView>>, Problem> {
    let identity = owner.identity(&state, &caller).await?;
    let listed = state.service.keys(&caller.0, &identity, query.page()).await?;
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// One key, without what is secret of it.
#[utoipa::path(get, path = "", tag = "keys", responses((status = 200, description = "The key", body = KeyView)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(key): Path<OwnedKey>,
) -> Result<Answer<KeyView>, Problem> {
    Ok(Answer::ok(key.found(&state, &caller).await?.1.into()))
}

/// Issues a new key in the place of one that stays valid for a while.
#[utoipa::path(post, path = "", tag = "keys", responses((status = 201, description = "The new key, shown this once", body = NewKeyView)))]
pub async fn renew(
    State(state): State<AppState>,
    caller: Caller,
    Path(key): Path<OwnedKey>,
) -> Result<Answer<NewKeyView>, Problem> {
    let (owner, key) = key.found(&state, &caller).await?;
    let key = state.service.renew_key(&caller.0, key.id, Timestamp::now()).await?;
    Ok(issued(&owner, key))
}

/// Takes a key back.
#[utoipa::path(delete, path = "", tag = "keys", responses((status = 200, description = "Opens nothing any more", body = KeyView)))]
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Path(key): Path<OwnedKey>,
) -> Result<Answer<KeyView>, Problem> {
    let (_, key) = key.found(&state, &caller).await?;
    Ok(Answer::ok(state.service.revoke_key(&caller.0, key.id, Timestamp::now()).await?.into()))
}
