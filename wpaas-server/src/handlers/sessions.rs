//! `/sessions`: signing in with a password, and out.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::id::KeyId;

use crate::answer::Answer;
use crate::auth::{Caller, PresentedKey};
use crate::dto::list::{ListView, PageQuery};
use crate::dto::session::{NewSessionView, SessionView, SignInDto};
use crate::extract::{Body, Query, SecretText};
use crate::problem::Problem;
use crate::rates::Address;
use crate::state::AppState;

/// Begins a session for whoever has the password.
#[utoipa::path(post, path = "", tag = "sessions", request_body = SignInDto, responses((status = 201, description = "The session with its token, shown this once", body = NewSessionView)))]
pub async fn create(
    State(state): State<AppState>,
    Address(address): Address,
    Body(dto): Body<SignInDto>,
) -> Result<Answer<NewSessionView>, Problem> {
    let SignInDto { cid, username, password: SecretText(password) } = dto;
    state.rates.attempt(address)?;
    let session = state.service.sign_in(cid.as_ref(), &username, &password, Timestamp::now()).await?;
    Ok(Answer::created(session.into(), "/sessions/current".to_owned()))
}

/// The caller's own sessions.
#[utoipa::path(get, path = "", tag = "sessions", params(PageQuery<KeyId>), responses((status = 200, description = "A page of sessions", body = ListView<SessionView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    presented: PresentedKey,
    Query(query): Query<PageQuery<KeyId>>,
) -> Result<Answer<ListView<SessionView>>, Problem> {
    let listed = state.service.sessions(&caller.0, query.page()).await?;
    Ok(Answer::ok(ListView::new(listed, |session| SessionView::new(&session, presented.session()))))
}

/// Ends the session that asks.
#[utoipa::path(delete, path = "", tag = "sessions", responses((status = 204, description = "Ended")))]
pub async fn end(
    State(state): State<AppState>,
    caller: Caller,
    presented: PresentedKey,
) -> Result<StatusCode, Problem> {
    let current = presented.session().ok_or_else(|| {
        let detail = "what you presented is not a session's token, so there is none to end";
        Problem::new(StatusCode::CONFLICT, "not_a_session", detail)
    })?;
    state.service.sign_out(&caller.0, Some(current), Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions.
#[utoipa::path(delete, path = "", tag = "sessions", responses((status = 204, description = "Ended")))]
pub async fn end_all(State(state): State<AppState>, caller: Caller) -> Result<StatusCode, Problem> {
    state.service.sign_out(&caller.0, None, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
