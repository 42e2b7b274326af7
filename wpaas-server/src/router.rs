//! Every route, in one place.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use crate::handlers::health;
use crate::limits::{self, Limits};
use crate::problem::Problem;
use crate::state::AppState;
use crate::{observe, request_id};

/// The API.
pub fn api(state: AppState) -> Router {
    let limits = Limits::new(&state.settings.limits);
    let routes = Router::new()
        .layer(from_fn_with_state(limits, limits::layer))
        .route("/healthz", get(health::live))
        .route("/metrics", get(health::metrics));
    finish(routes, state.settings.limits.body_bytes, state)
}

/// What every listener does around its routes.
fn finish(routes: Router<AppState>, body_bytes: usize, state: AppState) -> Router {
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(CatchPanicLayer::custom(limits::panicked))
        .layer(from_fn_with_state(state.metrics.clone(), observe::layer))
        .layer(from_fn(request_id::layer))
        .with_state(state)
}

async fn unknown() -> Problem {
    Problem::not_found()
}

async fn wrong_method(method: Method) -> Problem {
    let detail = format!("{method} is not possible here; see the Allow header");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
