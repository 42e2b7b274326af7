use std::error::Error;

use oauth2::basic::BasicErrorResponse;
use oauth2::{ErrorResponse, RequestTokenError};
use openidconnect::DiscoveryError;

use super::http::HttpError;

/// Why a provider did not prove whose account it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// It can't be reached, or fails.
    #[error("the identity provider does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It answers, and says no.
    #[error("the identity provider refuses: {0}")]
    Refused(String),
    /// It answers what can't be understood, or is not what it should be.
    #[error("the identity provider's answer can't be trusted")]
    Untrusted(#[source] Box<dyn Error + Send + Sync>),
}

impl ProviderError {
    pub(super) fn untrusted(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Untrusted(why.into())
    }
}

impl From<HttpError> for ProviderError {
    fn from(error: HttpError) -> Self {
        if error.is_outage() { Self::Unavailable(error.into()) } else { Self::Untrusted(error.into()) }
    }
}

impl From<DiscoveryError<HttpError>> for ProviderError {
    fn from(error: DiscoveryError<HttpError>) -> Self {
        match error {
            DiscoveryError::Request(error) => error.into(),
            DiscoveryError::Response(status, ..) if status.is_server_error() => {
                Self::Unavailable(error.into())
            }
            other => Self::Untrusted(other.into()),
        }
    }
}

impl<T: ErrorResponse + Send + Sync + 'static> From<RequestTokenError<HttpError, T>> for ProviderError {
    fn from(error: RequestTokenError<HttpError, T>) -> Self {
        match error {
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::ServerResponse(said) => Self::Refused(said.to_string()),
            // GitHub says no with status 200.
            RequestTokenError::Parse(error, body) => {
                match serde_json::from_slice::<BasicErrorResponse>(&body) {
                    Ok(said) => Self::Refused(said.to_string()),
                    Err(_) => Self::Untrusted(error.into()),
                }
            }
            other @ RequestTokenError::Other(_) => Self::Untrusted(other.into()),
        }
    }
}
