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
pub async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server can do its work, and what is missing.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    simulated: bool,
    store: Check,
    backend: BackendCheck,
}

#[derive(Debug, Serialize)]
struct Check {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
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
pub async fn ready(State(state): State<AppState>) -> Response {
    let listed = state.service.customers(&Actor::Operator, Page::first(1)).await;
    let store = Check::from(listed.map(drop).map_err(|error| chain(&error)));
    let check = Check::from(state.watch.backend());
    let backend = BackendCheck { kind: state.settings.backend, check };
    let ready = store.ready && backend.check.ready;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, simulated: state.simulated, store, backend })).into_response()
}

/// What is counted.
pub async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let text = state.metrics.text().map_err(|error| Problem::internal(&error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
