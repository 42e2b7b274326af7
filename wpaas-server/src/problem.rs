//! Errors as callers see them: problem details (RFC 9457) with a stable `code`.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::request_id;

mod codes;
mod service;

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    subject: Option<String>,
    retry_after: Option<u32>,
}

/// The document on the wire.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Document<'a> {
    /// `urn:wpaas:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// Of the answer.
    status: u16,
    #[schema(inline, value_type = codes::Code)]
    code: &'a str,
    /// Which problem, for people.
    detail: &'a str,
    /// What of the request it is about, as a dotted path.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// Of `idempotency_answer_lost`: the id of what the first request was done to, as `site_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    /// By which the operator finds the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem with this status, code and explanation. Every code is listed in `problem/codes.rs`.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(
            codes::CODES.iter().any(|(known, _)| *known == code),
            "a code that problem/codes.rs does not list: {code}"
        );
        Self { status, code, detail: detail.into(), field: None, subject: None, retry_after: None }
    }

    /// 400: the request can't be read.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 422: the request can be read, and this field of it is wrong.
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).at(field)
    }

    /// 404: nothing of that name that the caller may see.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here that you may see")
    }

    /// 401: nobody known asks.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let detail =
            "send a valid API key as `Authorization: Bearer …`, or a user name and password as Basic";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// 500: our own fault. The error goes to the log, once, and not to the caller.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = chain(error), "a request failed");
        Self::broken()
    }

    /// 500 for what was logged already.
    #[must_use]
    pub fn broken() -> Self {
        let detail = "the server failed; the operator finds the reason in the log by the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// With the field that it is about, as a dotted path.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With the id of what it is about.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// With when to try again, in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The status that it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that it is about.
    #[must_use]
    pub fn field_name(&self) -> Option<&str> {
        self.field.as_deref()
    }

    fn document(&self) -> Document<'_> {
        Document {
            r#type: format!("urn:wpaas:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            subject: self.subject.as_deref(),
            request_id: request_id::current(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wpaas\""));
            let basic = HeaderValue::from_static("Basic realm=\"wpaas\", charset=\"UTF-8\"");
            headers.append(WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// An error with everything that it came from, in one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
