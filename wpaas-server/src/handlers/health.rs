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
    /// Whether it takes requests: the store can be reached, and the server is not stopping.
    ready: bool,
    simulated: bool,
    stopping: bool,
    store: Check,
    /// Whether sites can be tended. While they can't the API answers all the same, and says Unknown of them.
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

/// 200 while requests are to be sent here: the store can be reached and the server is not stopping; else 503 with the
/// reasons. What can be said of the backend is in `backend` and takes no request away.
#[utoipa::path(get, path = "", tag = "health", responses((status = 200, description = "It takes requests", body = Readiness), (status = 503, description = "It does not, and why", body = Readiness)))]
pub async fn ready(State(state): State<AppState>) -> Response {
    let listed = state.service.customers(&Actor::Operator, Page::first(1)).await;
    let store = Check::from(listed.map(drop).map_err(|error| chain(&error)));
    let check = Check::from(state.watch.backend());
    let backend = BackendCheck { kind: state.settings.backend, check };
    let stopping = state.stopping.is_cancelled();
    let ready = store.ready && !stopping;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let simulated = state.simulated.is_some();
    (status, Json(Readiness { ready, simulated, stopping, store, backend })).into_response()
}

/// What is counted.
#[utoipa::path(get, path = "", tag = "health", responses((status = 200, description = "What is counted", body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    state.spares.count(&state.service).await;
    let text = state.metrics.text().map_err(|error| Problem::internal(&error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use wpaas_core::converge::simulated::World;

    use super::*;
    use crate::config::{Flags, Settings};

    async fn asked(state: &AppState) -> (u16, serde_json::Value) {
        let response = ready(State(state.clone())).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_backend_that_is_away_takes_no_request_away_and_stopping_does() {
        let folder = tempfile::TempDir::new().unwrap();
        let data = Some(folder.path().join("data"));
        let flags = Flags { data, backend: Some(BackendKind::Simulated), ..Flags::default() };
        let settings = Arc::new(Settings::load(flags).unwrap());
        let (state, _tasks) = crate::app::open(&settings, World::default()).await.unwrap();
        state.watch.preparing(Some("the Engine is away".to_owned()));
        let (status, told) = asked(&state).await;
        assert_eq!((status, &told["ready"], &told["backend"]["ready"]), (200, &true.into(), &false.into()));
        state.stopping.cancel();
        let (status, told) = asked(&state).await;
        assert_eq!((status, &told["ready"], &told["stopping"]), (503, &false.into(), &true.into()));
    }
}
