use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::Object;
use crate::problem::Problem;

/// A JSON body. What is wrong in it is told by the path of the field.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        parse(&json(request, state).await?).map(Self)
    }
}

async fn json<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        let detail = "the body must be JSON, sent with `Content-Type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
    }
    Bytes::from_request(request, state).await.map_err(|error| unreadable(&error))
}

/// A JSON body that may be left out, or be `null`.
#[derive(Debug)]
pub struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if axum::body::HttpBody::is_end_stream(request.body()) {
            return Ok(Self(T::default()));
        }
        let bytes = json(request, state).await?;
        if bytes.trim_ascii() == b"null" { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

/// Reads JSON.
///
/// # Errors
///
/// 400 for what is no JSON, 422 with the field's path for JSON that is not what it should be.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let problem = problem(error.inner());
        if path == "." { problem } else { problem.at(path) }
    })?;
    json.end().map_err(|error| problem(&error))?;
    Ok(value)
}

fn problem(error: &serde_json::Error) -> Problem {
    let detail = error.to_string();
    match error.classify() {
        Category::Data => {
            // The field is named; nobody counts the columns of what a program wrote.
            let detail = detail.rsplit_once(" at line ").map_or(detail.as_str(), |(detail, _)| detail);
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
        }
        Category::Syntax | Category::Eof | Category::Io => Problem::bad_request("invalid_json", detail),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = text.split(';').next().unwrap_or(text).trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unreadable(error: &BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the body is larger than this server takes";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
    }
    Problem::bad_request("unreadable_body", "the body could not be read to its end")
}
