//! An answer that is no error: a status, a JSON body, and what versions and places it has.

use axum::Json;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wpaas_core::account::Version;

/// What a handler answers.
#[derive(Debug)]
pub struct Answer<T> {
    status: StatusCode,
    version: Option<Version>,
    location: Option<String>,
    body: T,
}

impl<T> Answer<T> {
    /// 200.
    pub const fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, version: None, location: None, body }
    }

    /// 201, and where it is now.
    pub const fn created(body: T, location: String) -> Self {
        Self { status: StatusCode::CREATED, version: None, location: Some(location), body }
    }

    /// 202: the wish is kept, the converger works on it.
    pub const fn accepted(body: T) -> Self {
        Self { status: StatusCode::ACCEPTED, version: None, location: None, body }
    }

    /// With the version that an `If-Match` can name.
    pub const fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// With where it is.
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self { status, version, location, body } = self;
        let mut response = (status, Json(body)).into_response();
        let tag = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        if let Some(tag) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        if let Some(place) = location.and_then(|place| HeaderValue::from_str(&place).ok()) {
            response.headers_mut().insert(LOCATION, place);
        }
        response
    }
}
