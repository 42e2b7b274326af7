use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use wpaas_core::service::IfMatch;

use crate::problem::Problem;

/// Which version the caller has read, from `If-Match`.
#[derive(Debug, Clone, Copy)]
pub struct Expected(pub IfMatch);

/// How the document tells of it.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header")]
pub struct IfMatchHeader {
    /// The `ETag` of an earlier answer: the change is refused if there was another since. `*` takes any.
    #[param(rename = "If-Match", pattern = r#"^(\*|"[0-9]{1,18}(\.[0-9a-f]+)?")$"#)]
    if_match: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Ok(Self(IfMatch::Any)) };
        let text = value.to_str().unwrap_or_default().trim();
        parse(text).map(Self).ok_or_else(|| {
            let detail = "If-Match must be `*` or one ETag of an earlier answer, with its quotes";
            Problem::bad_request("invalid_if_match", detail)
        })
    }
}

fn parse(text: &str) -> Option<IfMatch> {
    if text == "*" {
        return Some(IfMatch::Any);
    }
    let tag = text.strip_prefix('"')?.strip_suffix('"')?;
    // A site's tag has a digest of its status besides, which no update depends on.
    let (version, _) = tag.split_once('.').unwrap_or((tag, ""));
    version.parse().ok().map(IfMatch::Version)
}
