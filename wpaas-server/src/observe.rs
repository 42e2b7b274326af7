//! One log line and one measurement a request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::metrics::Metrics;
use crate::request_id;

/// Measures and logs a request. The path is logged, the query and the headers are not. What changes nothing, and
/// what nodes report every few seconds, is for `debug`; what fails here, or a report that is refused, is a warning.
pub async fn layer(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    if let Some(value) = request.headers_mut().get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let id = request_id::current().unwrap_or_default();
    let span = tracing::info_span!("request", request_id = id);
    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    metrics.request(method.as_str(), route.as_deref().unwrap_or("unknown"), status, elapsed);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let _entered = span.enter();
    let report = path.starts_with("/reports/");
    if status >= 500 || (report && status >= 400) {
        tracing::warn!(%method, path, route, status, elapsed_ms, "answered");
    } else if method.is_safe() || report {
        tracing::debug!(%method, path, route, status, elapsed_ms, "answered");
    } else {
        tracing::info!(%method, path, route, status, elapsed_ms, "answered");
    }
    response
}
