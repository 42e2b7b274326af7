//! What a failure of the Engine means.

use std::fmt::Display;

use bollard::errors::Error;
use wpaas_core::converge::{BackendError, ErrorClass};
use wpaas_core::secret::SecretError;

/// The status that the Engine answered with.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// That `what` could not be done. The Engine's own words are kept.
pub(crate) fn failed(what: impl Display, error: Error) -> BackendError {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let message = message.trim();
            BackendError::new(class(status_code), format!("{what}: the Engine says {status_code}, {message}"))
        }
        Error::DockerStreamError { error } => transient(format!("{what}: the Engine says {}", error.trim())),
        error if is_lost(&error) => {
            transient(format!("{what}: the connection to the Engine was lost")).caused_by(error)
        }
        error => transient(format!("{what}: the Engine's answer can't be understood")).caused_by(error),
    }
}

/// Whether the Engine did not even take the call.
pub(crate) fn is_unreachable(error: &Error) -> bool {
    match error {
        Error::HyperLegacyError { err } => err.is_connect(),
        Error::SocketNotFoundError(_) => true,
        _ => false,
    }
}

/// Whether the connection ended before the answer did.
pub(crate) fn is_lost(error: &Error) -> bool {
    matches!(
        error,
        Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::SocketNotFoundError(_)
            | Error::RequestTimeoutError
    )
}

/// A refusal of what was asked may pass once the site was looked at again; a failure of the Engine, with time.
const fn class(status: u16) -> ErrorClass {
    match status {
        400 => ErrorClass::Permanent,
        403 | 404 | 409 => ErrorClass::Conflict,
        429 => ErrorClass::Throttled { retry_after: None },
        _ => ErrorClass::Transient,
    }
}

/// May work later.
pub(crate) fn transient(message: impl Into<String>) -> BackendError {
    BackendError::new(ErrorClass::Transient, message)
}

/// What is there is not what was planned on.
pub(crate) fn conflict(message: impl Into<String>) -> BackendError {
    BackendError::new(ErrorClass::Conflict, message)
}

/// A secret that a file needs could not be had. An absent one was replaced since: another plan knows.
pub(crate) fn no_secret(path: &str, error: SecretError) -> BackendError {
    let class = match error {
        SecretError::Absent { .. } => ErrorClass::Conflict,
        _ => ErrorClass::Transient,
    };
    BackendError::new(class, format!("the secret for {path} can't be had")).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16) -> BackendError {
        failed(
            "starting x",
            Error::DockerResponseServerError { status_code, message: "no such x\n".to_owned() },
        )
    }

    #[test]
    fn the_engines_answer_decides_what_follows() {
        assert_eq!(answer(404).to_string(), "starting x: the Engine says 404, no such x");
        for (status, class) in [
            (400, ErrorClass::Permanent),
            (403, ErrorClass::Conflict),
            (404, ErrorClass::Conflict),
            (409, ErrorClass::Conflict),
            (429, ErrorClass::Throttled { retry_after: None }),
            (500, ErrorClass::Transient),
            (503, ErrorClass::Transient),
        ] {
            assert_eq!(answer(status).class, class, "{status}");
        }
    }

    #[test]
    fn a_lost_connection_may_come_back() {
        let error = failed("starting x", Error::RequestTimeoutError);
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.source.is_some() && error.to_string().contains("lost"), "{error}");
    }

    #[test]
    fn a_build_that_fails_says_why() {
        let error = failed("building x", Error::DockerStreamError { error: "no space left\n".to_owned() });
        assert_eq!(error.to_string(), "building x: the Engine says no space left");
    }
}
