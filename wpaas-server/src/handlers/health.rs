//! Whether the server lives, and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wpaas_core::access::Actor;
use wpaas_core::service::Page;

use crate::config::BackendKind;
use crate::problem::{Problem, chain};
use crate::state::AppState;

/// The process answers.
#[utoipa::path(get, path = "", tag = "health", responses((status = 200, description = "The process answers", body = String, content_type = "text/plain")))]
pub async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work, and what is missing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Readiness {
    ready: bool,
    simulated: bool,
    store: Check,
    backend: BackendCheck,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Check {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BackendCheck {
    kind: BackendKind,
    #[serde(flatten)]
    check: Check,
}

impl From<Result<(), String>> for Check {
    fn from(result: Result<(), String>) -> Self {
        Self { ready: result.is_ok(), reason: result.err() }
    }
}

/// 200 when the store and the backend can be reached, else 503 with the reasons.
#[utoipa::path(get, path = "", tag = "health", responses((status = 200, description = "It can work", body = Readiness), (status = 503, description = "It can not, and why", body = Readiness)))]
pub async fn ready(State(state): State<AppState>) -> Response {
    let listed = state.service.customers(&Actor::Operator, Page::first(1)).await;
    let store = Check::from(listed.map(drop).map_err(|error| chain(&error)));
    let check = Check::from(state.watch.backend());
    let backend = BackendCheck { kind: state.settings.backend, check };
    let ready = store.ready && backend.check.ready;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, simulated: state.simulated.is_some(), store, backend })).into_response()
}

/// What is counted.
#[utoipa::path(get, path = "", tag = "health", responses((status = 200, description = "What is counted", body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let text = state.metrics.text().map_err(|error| Problem::internal(&error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
