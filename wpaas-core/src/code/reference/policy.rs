use url::Url;

use super::CodeProblem;
use crate::reach::{is_below, is_prefix};

/// What the operator allows beyond the ordinary: nothing, by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodePolicy {
    /// Beginnings of git URLs, each ending in `/`. A URL below one may have another scheme than `https` and
    /// `ssh`, and may lead to a private address.
    pub allowed_prefixes: Vec<String>,
    /// S3 endpoints other than AWS's. They may lead to a private address.
    pub allowed_endpoints: Vec<String>,
    /// Buckets that are read with the server's own identity when a site has no credential.
    pub server_buckets: Vec<String>,
}

/// A policy that would not do what its author thinks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// Not a beginning that can be compared.
    #[error(
        "{0:?} is no prefix for code: it must be a URL that ends in / and has no password, query or fragment"
    )]
    Prefix(String),
    /// Not an endpoint.
    #[error("{0:?} is no S3 endpoint: it must be an http or https URL without a path")]
    Endpoint(String),
}

impl CodePolicy {
    /// Whether every entry can have an effect; an operator wants to know at the start.
    ///
    /// # Errors
    ///
    /// The first entry that can't.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let prefix = self.allowed_prefixes.iter().find(|text| !is_prefix(text));
        let endpoint = self.allowed_endpoints.iter().find(|text| parse_endpoint(text).is_none());
        match (prefix, endpoint) {
            (Some(text), _) => Err(InvalidPolicy::Prefix(text.clone())),
            (_, Some(text)) => Err(InvalidPolicy::Endpoint(text.clone())),
            (None, None) => Ok(()),
        }
    }

    /// Whether the URL lies below one of the allowed prefixes.
    #[must_use]
    pub fn allows_url(&self, url: &Url) -> bool {
        is_below(&self.allowed_prefixes, url)
    }

    /// Whether the endpoint is on the operator's list.
    #[must_use]
    pub fn allows_endpoint(&self, endpoint: &str) -> bool {
        self.check_endpoint(endpoint).is_ok()
    }

    /// Whether the server's own identity may read this bucket of AWS.
    #[must_use]
    pub fn serves_bucket(&self, bucket: &str) -> bool {
        self.server_buckets.iter().any(|served| served == bucket)
    }

    pub(super) fn check_endpoint(&self, endpoint: &str) -> Result<(), CodeProblem> {
        super::text::check(endpoint, 1024)?;
        let url = parse_endpoint(endpoint).ok_or(CodeProblem::EndpointNotAllowed)?;
        let allowed = self.allowed_endpoints.iter().filter_map(|text| parse_endpoint(text));
        if allowed.into_iter().any(|other| other == url) {
            Ok(())
        } else {
            Err(CodeProblem::EndpointNotAllowed)
        }
    }
}

fn parse_endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.path() == "/";
    let anonymous = url.username().is_empty() && url.password().is_none();
    (web && anonymous && url.query().is_none() && url.fragment().is_none()).then_some(url)
}
