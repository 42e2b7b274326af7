//! `Idempotency-Key`: a POST that is sent again is answered as before, and done once.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::Instrument;
use wpaas_core::service::{Answer, Idempotency, Keyed, Performed, Service};

use crate::answer::Written;
use crate::auth::Caller;
use crate::problem::{Problem, chain};
use crate::request_id;
use crate::state::AppState;

/// What of an answer is kept besides its status.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

static KEPT_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];

/// Answers a POST with a key that was answered before as it was then; any other request goes on.
pub async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    match key {
        Some(key) if request.method() == Method::POST => {
            once(&state, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
        }
        _ => next.run(request).await,
    }
}

async fn once(
    state: &AppState,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key.to_str().map_err(|_| Problem::bad_request("invalid_idempotency_key", "must be ASCII"))?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, state.settings.limits.body_bytes).await.map_err(|_| too_large())?;
    let actor = parts.extensions.get::<Caller>().map(|Caller(actor)| actor);
    let digest = digest(&parts, &body);
    match state.service.begin_idempotent(actor, key, digest, Timestamp::now()).await? {
        Idempotency::Replay { status, body } => replay(status, &body),
        Idempotency::Fresh(keyed) => {
            let request = Request::from_parts(parts, Body::from(body));
            run_to_the_end(state.service.clone(), keyed, request, next).await
        }
    }
}

/// In a task of its own: a caller that hangs up must find the answer when it asks again.
async fn run_to_the_end(
    service: Service,
    keyed: Keyed,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let id = request_id::current().unwrap_or_default();
    let work = async move {
        let (response, performed) = keyed.clone().perform(next.run(request)).await;
        match performed {
            Some(performed) if response.status().is_success() && !performed.is_answered() => {
                keep(&service, performed, response).await
            }
            None if !response.status().is_success() => refused(&service, &keyed, response).await,
            // What fails after it has changed something has used its key, and has no answer to keep; or it was kept
            // with the change.
            _ => Ok(response),
        }
    };
    let task = tokio::spawn(request_id::scope(id, work.in_current_span()));
    match task.await {
        Ok(response) => response,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(stopped) => Err(Problem::internal(&stopped)),
    }
}

/// What was refused changed nothing, and may be sent again with the same key; unless it was refused because another
/// with this key has done the same meanwhile.
async fn refused(service: &Service, keyed: &Keyed, response: Response) -> Result<Response, Problem> {
    match service.done_under(keyed, Timestamp::now()).await? {
        Some(Idempotency::Replay { status, body }) => replay(status, &body),
        _ => Ok(response),
    }
}

/// Keeps what was done.
async fn keep(service: &Service, performed: Performed, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|error| Problem::internal(&error))?;
    let envelope = envelope(&parts.headers, &body).map_err(|error| Problem::internal(&error))?;
    let kept = service.finish_idempotent(performed, parts.status.as_u16(), &envelope, Timestamp::now()).await;
    if let Err(error) = kept {
        tracing::error!(error = chain(&error), "an answer could not be kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// What is kept of an answer by whoever knows it before anything is changed.
pub fn answer(Written { status, headers, body }: &Written) -> Option<Answer> {
    Some(Answer { status: status.as_u16(), body: envelope(headers, body).ok()? })
}

fn envelope(headers: &HeaderMap, body: &Bytes) -> Result<Vec<u8>, serde_json::Error> {
    let text = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    let headers = KEPT_HEADERS.iter().filter_map(text).collect();
    serde_json::to_vec(&Kept { headers, body: String::from_utf8_lossy(body).into_owned() })
}

fn replay(status: u16, envelope: &[u8]) -> Result<Response, Problem> {
    let kept: Kept = serde_json::from_slice(envelope).map_err(|error| Problem::internal(&error))?;
    let status = StatusCode::from_u16(status).map_err(|error| Problem::internal(&error))?;
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    for (name, value) in &kept.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// Of all that decides what the request does.
fn digest(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mut hash = Sha256::new();
    for piece in [parts.method.as_str().as_bytes(), target.as_bytes(), body] {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    hash.finalize().into()
}

fn too_large() -> Problem {
    let detail = "the body is larger than this server takes, or could not be read to its end";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
