//! Failures that are our own verdict.

use wpaas_core::converge::{BackendError, ErrorClass};
use wpaas_core::secret::SecretError;

/// May work later.
pub(crate) fn transient(message: impl Into<String>) -> BackendError {
    BackendError::new(ErrorClass::Transient, message)
}

/// What is there is not what was planned on.
pub(crate) fn conflict(message: impl Into<String>) -> BackendError {
    BackendError::new(ErrorClass::Conflict, message)
}

/// A secret that is needed could not be had. An absent one was replaced since: another plan knows.
pub(crate) fn no_secret(what: &str, error: SecretError) -> BackendError {
    let class = match error {
        SecretError::Absent { .. } => ErrorClass::Conflict,
        _ => ErrorClass::Transient,
    };
    BackendError::new(class, format!("the secret for {what} can't be had")).caused_by(error)
}
