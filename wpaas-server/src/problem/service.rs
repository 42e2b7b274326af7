//! What the domain refuses, as callers see it.

use axum::http::StatusCode;
use wpaas_core::credential::CredentialError;
use wpaas_core::service::ServiceError;

use super::{Problem, chain};

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        use ServiceError as E;
        let (code, text) = (error.code(), error.to_string());
        match error {
            E::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, code, text),
            E::Unauthenticated => Self::unauthenticated(),
            E::LockedOut { wait } => {
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, text).retry_after(seconds)
            }
            E::Forbidden { .. } | E::CustomerSuspended | E::CustomerToBeRemoved => {
                Self::new(StatusCode::FORBIDDEN, code, text)
            }
            E::Conflict { .. } => Self::new(StatusCode::CONFLICT, code, text),
            E::AnswerLost { subject } => Self::new(StatusCode::CONFLICT, code, text).about(subject),
            E::Invalid { field, why } => Self::field(wire_name(field), why),
            E::QuotaExceeded { limit, .. } => {
                Self::new(StatusCode::CONFLICT, code, format!("{text}: {limit}")).at(limit.what)
            }
            E::VersionMismatch { .. } => Self::new(StatusCode::PRECONDITION_FAILED, code, text),
            E::Credential(CredentialError::Busy) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, text).retry_after(1)
            }
            E::Unavailable(_) | E::Credential(_) => {
                tracing::error!(error = chain(&error), "the service is not available");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, text).retry_after(1)
            }
            other => Self::internal(&other),
        }
    }
}

/// The core speaks of `spec.num_instances`; on the wire the fields of a spec stand at the top.
fn wire_name(field: &str) -> &str {
    field.strip_prefix("spec.").unwrap_or(field)
}
