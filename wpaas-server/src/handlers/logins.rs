//! `/logins`: the accounts at identity providers that sign the caller in.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::id::LoginId;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::ListView;
use crate::dto::sso::{LinkDto, LoginView};
use crate::extract::{Body, Path, SecretText};
use crate::problem::Problem;
use crate::state::AppState;

/// The accounts that sign the caller in.
#[utoipa::path(get, path = "", tag = "logins", responses((status = 200, description = "All of them", body = ListView<LoginView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Answer<ListView<LoginView>>, Problem> {
    let logins = state.service.logins(&caller.0).await?;
    let items = logins.into_iter().map(|login| LoginView::new(login, &state.sso)).collect();
    Ok(Answer::ok(ListView { items, next: None }))
}

/// Lets the account of a ticket sign the caller in.
#[utoipa::path(post, path = "", tag = "logins", request_body = LinkDto, responses((status = 201, description = "Linked", body = LoginView)))]
pub async fn link(
    State(state): State<AppState>,
    caller: Caller,
    Body(LinkDto { ticket: SecretText(ticket) }): Body<LinkDto>,
) -> Result<Answer<LoginView>, Problem> {
    let login = state.service.link_login(&caller.0, &ticket, Timestamp::now()).await?;
    Ok(Answer::created(LoginView::new(login, &state.sso), "/logins".to_owned()))
}

/// Lets an account sign the caller in no more, and ends the caller's sessions.
#[utoipa::path(delete, path = "", tag = "logins", responses((status = 204, description = "Unlinked")))]
pub async fn unlink(
    State(state): State<AppState>,
    caller: Caller,
    Path(login): Path<LoginId>,
) -> Result<StatusCode, Problem> {
    state.service.unlink_login(&caller.0, login, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
