//! `/users`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::account::User;
use wpaas_core::name::{Cid, Username};
use wpaas_core::service::Listed;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::{ListView, page};
use crate::dto::user::{NewUserDto, NewUserView, UserQuery, UserUpdateDto, UserView};
use crate::extract::{Body, Expected, IfMatch, Path, Query, agree};
use crate::problem::Problem;
use crate::state::AppState;

type Shown = Result<Answer<UserView>, Problem>;

fn shown(user: User) -> Answer<UserView> {
    let version = user.version;
    Answer::ok(user.into()).version(version)
}

/// Makes a user with a first key, shown this once.
#[utoipa::path(post, path = "", tag = "users", request_body = NewUserDto, responses((status = 201, description = "Made, with a first key, shown this once", body = NewUserView)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(dto): Body<NewUserDto>,
) -> Result<Answer<NewUserView>, Problem> {
    let new = dto.into_new(caller.cid())?;
    let (user, key) = state.service.create_user(&caller.0, new, Timestamp::now()).await?;
    let (version, place) = (user.version, format!("/users/{}/{}", user.cid, user.username));
    Ok(Answer::created(NewUserView { user: user.into(), api_key: key.into() }, place).version(version))
}

/// A customer's users, or the one that the query names.
#[utoipa::path(get, path = "", tag = "users", params(UserQuery), responses((status = 200, description = "A page of users", body = ListView<UserView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(cid): Path<Cid>,
    Query(query): Query<UserQuery>,
) -> Result<Answer<ListView<UserView>>, Problem> {
    let listed = match query.name {
        Some(name) => Listed { items: vec![state.service.user(&caller.0, &cid, &name).await?], next: None },
        None => state.service.users(&caller.0, &cid, page(query.cursor, query.limit)).await?,
    };
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// One user.
#[utoipa::path(get, path = "", tag = "users", responses((status = 200, description = "The user", body = UserView)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, username)): Path<(Cid, Username)>,
) -> Shown {
    Ok(shown(state.service.user(&caller.0, &cid, &username).await?))
}

/// Changes the user that the path names.
#[utoipa::path(put, path = "", tag = "users", params(IfMatch), request_body = UserUpdateDto, responses((status = 200, description = "As it is now", body = UserView)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, username)): Path<(Cid, Username)>,
    Expected(if_match): Expected,
    Body(mut dto): Body<UserUpdateDto>,
) -> Shown {
    let cid = agree("cid", cid, dto.cid.take())?;
    let username = agree("username", username, dto.username.take())?;
    let now = Timestamp::now();
    Ok(shown(state.service.update_user(&caller.0, &cid, &username, dto.into(), if_match, now).await?))
}

/// Changes the user that the body names.
#[utoipa::path(put, path = "", tag = "users", params(IfMatch), request_body = UserUpdateDto, responses((status = 200, description = "As it is now", body = UserView)))]
pub async fn update_named(
    State(state): State<AppState>,
    caller: Caller,
    Path(cid): Path<Cid>,
    Expected(if_match): Expected,
    Body(mut dto): Body<UserUpdateDto>,
) -> Shown {
    let cid = agree("cid", cid, dto.cid.take())?;
    let username = dto.take_username()?;
    let now = Timestamp::now();
    Ok(shown(state.service.update_user(&caller.0, &cid, &username, dto.into(), if_match, now).await?))
}

/// Deletes a user.
#[utoipa::path(delete, path = "", tag = "users", params(IfMatch), responses((status = 204, description = "Gone")))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, username)): Path<(Cid, Username)>,
    Expected(if_match): Expected,
) -> Result<StatusCode, Problem> {
    state.service.delete_user(&caller.0, &cid, &username, if_match, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
