//! `Accept`: who can't read what is answered is told so before anything is done.

use axum::extract::Request;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Refuses with 406 a request whose `Accept` has no place for JSON, nor for a stream or a page where there is one.
pub async fn layer(request: Request, next: Next) -> Response {
    let offered: &[&str] = match request.uri().path() {
        "/events" => &["application/json", "text/event-stream"],
        path if path.starts_with("/sso/") => &["application/json", "text/html"],
        _ => &["application/json"],
    };
    if offered.iter().any(|kind| accepts(request.headers(), kind)) {
        return next.run(request).await;
    }
    let detail = format!("this is answered as {}; the Accept header allows none of it", offered.join(" or "));
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail).into_response()
}

/// Whether the headers allow this media type. Without an `Accept`, everything is allowed.
fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut said = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    let all = said.peek().is_none();
    all || said.flat_map(|text| text.split(',')).any(|range| allows(range, kind))
}

fn allows(range: &str, kind: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let wanted = parts.next().unwrap_or_default().to_ascii_lowercase();
    let group = kind.split('/').next().unwrap_or_default();
    let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)));
    !refused && (wanted == kind || wanted == "*/*" || wanted.strip_suffix("/*") == Some(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_allows_what_is_in_it() {
        let accepts = |text: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT, text.parse().unwrap())]);
            accepts(&headers, "application/json")
        };
        for text in ["application/json", "Application/JSON", "*/*", "text/html, application/*;q=0.1"] {
            assert!(accepts(text), "{text}");
        }
        for text in ["text/html", "application/json;q=0", "application/xml, text/*", "", "nonsense"] {
            assert!(!accepts(text), "{text}");
        }
    }
}
