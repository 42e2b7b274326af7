use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The typed parameters after the question mark. Unknown ones are refused by name.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(|error| {
        let problem = Problem::bad_request("invalid_query", error.inner().to_string());
        let path = error.path().to_string();
        if path == "." { problem } else { problem.at(path) }
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u16>,
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse("limit=5"), Ok(Page { limit: Some(5) }));
        assert_eq!(parse(""), Ok(Page { limit: None }));
        let field = |text| parse::<Page>(text).unwrap_err().field_name().map(ToOwned::to_owned);
        assert_eq!(field("limit=x").as_deref(), Some("limit"));
        assert_eq!(field("limt=5").as_deref(), Some("limt"));
    }
}
