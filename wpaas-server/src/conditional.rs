//! `If-None-Match`: what the caller has already is not sent again.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// Answers a read with 304 and nothing else when its `ETag` is one that the caller names.
pub async fn layer(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = if reads { known(request.headers()) } else { Vec::new() };
    let response = next.run(request).await;
    match response.headers().get(ETAG) {
        Some(tag) if response.status() == StatusCode::OK && is_known(&known, tag) => unchanged(tag.clone()),
        _ => response,
    }
}

fn known(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(|tag| tag.trim().trim_start_matches("W/").to_owned()).collect()
}

fn is_known(known: &[String], tag: &HeaderValue) -> bool {
    known.iter().any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}

fn unchanged(tag: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(ETAG, tag);
    response
}
