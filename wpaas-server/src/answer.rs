//! An answer that is no error: a status, a JSON body, and what versions and places it has.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use wpaas_core::account::Version;

use crate::problem::Problem;

/// What a handler answers.
#[derive(Debug)]
pub struct Answer<T> {
    status: StatusCode,
    version: Option<Version>,
    /// Whether the version changes with all that the answer shows.
    covers_all: bool,
    location: Option<String>,
    body: T,
}

impl<T> Answer<T> {
    /// 200.
    pub const fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, version: None, covers_all: true, location: None, body }
    }

    /// 201, and where it is now.
    pub const fn created(body: T, location: String) -> Self {
        Self { status: StatusCode::CREATED, version: None, covers_all: true, location: Some(location), body }
    }

    /// 202: the wish is kept, the converger works on it.
    pub const fn accepted(body: T) -> Self {
        Self { status: StatusCode::ACCEPTED, version: None, covers_all: true, location: None, body }
    }

    /// With the version that an `If-Match` can name.
    pub const fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// With the version of what was asked for, while the answer shows more, as a site's status: the `ETag` then
    /// also has a digest of the answer, and `If-Match` looks at the version alone.
    pub const fn version_of_part(mut self, version: Version) -> Self {
        self.covers_all = false;
        self.version(version)
    }

    /// With where it is.
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }
}

/// An answer as it is sent.
#[derive(Debug, Clone)]
pub struct Written {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl<T: Serialize> Answer<T> {
    /// As it is sent.
    ///
    /// # Errors
    ///
    /// When the body can't be JSON, which is a defect.
    pub fn written(self) -> Result<Written, Problem> {
        let Self { status, version, covers_all, location, body } = self;
        let body = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?;
        let tag = version
            .map(|version| if covers_all { format!("\"{version}\"") } else { digested(version, &body) });
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            headers.insert(ETAG, tag);
        }
        if let Some(place) = location.and_then(|place| HeaderValue::from_str(&place).ok()) {
            headers.insert(LOCATION, place);
        }
        Ok(Written { status, headers, body: body.into() })
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        self.written().into_response()
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }
}

fn digested(version: Version, body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("\"{version}.{}\"", hex::encode(&digest[..8]))
}
