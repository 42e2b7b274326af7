//! What a request may cost: time and a place among those that run at once.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::config::LimitSettings;
use crate::problem::Problem;

/// The places, and the time that each may be taken for.
#[derive(Debug, Clone)]
pub struct Limits {
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Limits {
    /// As configured.
    #[must_use]
    pub fn new(settings: &LimitSettings) -> Self {
        Self { places: Arc::new(Semaphore::new(settings.concurrency)), timeout: settings.timeout.as_std() }
    }
}

/// Refuses what is too much at once, and gives up on what takes too long.
pub async fn layer(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_place) = limits.places.try_acquire() else {
        let detail = "too many requests are being answered just now; try again";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
            .retry_after(1)
            .into_response();
    };
    let answered = tokio::time::timeout(limits.timeout, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let detail = "the request took too long and was given up; what it began may still be done";
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail).into_response()
    })
}

/// What a caller gets when a handler panicked. The panic's text goes to the log alone.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "the panic layer hands it over")]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(panic = text.as_deref().unwrap_or("of unknown kind"), "a handler panicked");
    Problem::broken().into_response()
}
