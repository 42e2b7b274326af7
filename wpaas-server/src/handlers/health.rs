//! Whether the server lives, and whether it can work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::state::AppState;

/// The process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// What is counted.
pub async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let text = state.metrics.text(&[]).map_err(|error| Problem::internal(&error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind)], text).into_response())
}
