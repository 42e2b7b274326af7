//! `/webhooks`: for the operator.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::id::WebhookId;
use wpaas_core::service::KeyedWebhook;
use wpaas_core::store::StoredWebhook;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::event::Seq;
use crate::dto::list::{ListView, PageQuery};
use crate::dto::webhook::{KeyedWebhookView, NewWebhookDto, ReplayQuery, WebhookUpdateDto, WebhookView};
use crate::extract::{Body, Expected, IfMatch, Path, Query};
use crate::problem::Problem;
use crate::state::AppState;

type Shown = Result<Answer<WebhookView>, Problem>;

fn shown(stored: StoredWebhook) -> Answer<WebhookView> {
    let version = stored.webhook.version;
    Answer::ok(stored.into()).version_of_part(version)
}

fn keyed(webhook: KeyedWebhook) -> Answer<KeyedWebhookView> {
    let (version, id) = (webhook.stored.webhook.version, webhook.stored.webhook.id);
    Answer::created(webhook.into(), format!("/webhooks/{id}")).version_of_part(version)
}

/// Makes a webhook: what happens from now on is posted to its URL.
#[utoipa::path(post, path = "", tag = "webhooks", request_body = NewWebhookDto, responses((status = 201, description = "Made, with its secret, shown this once", body = KeyedWebhookView)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Body(dto): Body<NewWebhookDto>,
) -> Result<Answer<KeyedWebhookView>, Problem> {
    Ok(keyed(state.service.create_webhook(&caller.0, dto.into(), Timestamp::now()).await?))
}

/// The webhooks, and how far each is.
#[utoipa::path(get, path = "", tag = "webhooks", params(PageQuery<WebhookId>), responses((status = 200, description = "A page of webhooks", body = ListView<WebhookView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<PageQuery<WebhookId>>,
) -> Result<Answer<ListView<WebhookView>>, Problem> {
    let listed = state.service.webhooks(&caller.0, query.page()).await?;
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// One webhook, with its last attempts.
#[utoipa::path(get, path = "", tag = "webhooks", responses((status = 200, description = "The webhook", body = WebhookView)))]
pub async fn get(State(state): State<AppState>, caller: Caller, Path(id): Path<WebhookId>) -> Shown {
    Ok(shown(state.service.webhook(&caller.0, id).await?))
}

/// Changes a webhook.
#[utoipa::path(put, path = "", tag = "webhooks", params(IfMatch), request_body = WebhookUpdateDto, responses((status = 200, description = "As it is now", body = WebhookView)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<WebhookId>,
    Expected(if_match): Expected,
    Body(dto): Body<WebhookUpdateDto>,
) -> Shown {
    let now = Timestamp::now();
    Ok(shown(state.service.update_webhook(&caller.0, id, dto.into(), if_match, now).await?))
}

/// Deletes a webhook.
#[utoipa::path(delete, path = "", tag = "webhooks", params(IfMatch), responses((status = 204, description = "Gone")))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<WebhookId>,
    Expected(if_match): Expected,
) -> Result<StatusCode, Problem> {
    state.service.delete_webhook(&caller.0, id, if_match, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a webhook a new secret; the one before signs beside it for a while.
#[utoipa::path(post, path = "", tag = "webhooks", responses((status = 201, description = "With its new secret, shown this once", body = KeyedWebhookView)))]
pub async fn renew(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<WebhookId>,
) -> Result<Answer<KeyedWebhookView>, Problem> {
    Ok(keyed(state.service.renew_webhook_key(&caller.0, id, Timestamp::now()).await?))
}

/// Tells the events from a number on, again or leaving out those before.
#[utoipa::path(post, path = "", tag = "webhooks", params(ReplayQuery), responses((status = 200, description = "As it is now", body = WebhookView)))]
pub async fn replay(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<WebhookId>,
    Query(ReplayQuery { from: Seq(from) }): Query<ReplayQuery>,
) -> Shown {
    Ok(shown(state.service.replay_webhook(&caller.0, id, from, Timestamp::now()).await?))
}
