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
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail).retry_after(1).into_response()
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    fn routes(places: usize, timeout: Duration) -> Router {
        let limits = Limits { places: Arc::new(Semaphore::new(places)), timeout };
        Router::new()
            .route("/quick", get(async || "done"))
            .route("/never", get(async || std::future::pending::<()>().await))
            .route("/panic", get(async || -> &'static str { panic!("hush") }))
            .layer(from_fn_with_state(limits, layer))
            .layer(CatchPanicLayer::custom(panicked))
    }

    async fn ask(routes: Router, path: &str) -> (u16, serde_json::Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(response.headers().contains_key("retry-after"), [503, 504].contains(&status));
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up() {
        let (status, body) = ask(routes(1, Duration::from_millis(1)), "/never").await;
        assert_eq!((status, &body["code"]), (504, &"timeout".into()));
    }

    #[tokio::test]
    async fn what_is_too_much_at_once_is_refused_and_a_place_is_given_back() {
        let (status, body) = ask(routes(0, Duration::from_secs(5)), "/quick").await;
        assert_eq!((status, &body["code"]), (503, &"overloaded".into()));
        let routes = routes(1, Duration::from_secs(5));
        assert_eq!(ask(routes.clone(), "/quick").await.0, 200);
        assert_eq!(ask(routes, "/quick").await.0, 200);
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let (status, body) = ask(routes(1, Duration::from_secs(5)), "/panic").await;
        assert_eq!((status, &body["code"]), (500, &"internal".into()));
        assert!(!body.to_string().contains("hush"));
    }
}
