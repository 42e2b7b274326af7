//! An answer that is no error: a status, a JSON body, and what versions and places it has.

use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
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

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self { status, version, covers_all, location, body } = self;
        let body = match serde_json::to_vec(&body) {
            Ok(body) => body,
            Err(error) => return Problem::internal(&error).into_response(),
        };
        let tag = version
            .map(|version| if covers_all { format!("\"{version}\"") } else { digested(version, &body) });
        let mut response = (status, [(CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            response.headers_mut().insert(ETAG, tag);
        }
        if let Some(place) = location.and_then(|place| HeaderValue::from_str(&place).ok()) {
            response.headers_mut().insert(LOCATION, place);
        }
        response
    }
}

fn digested(version: Version, body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    format!("\"{version}.{}\"", hex::encode(&digest[..8]))
}
