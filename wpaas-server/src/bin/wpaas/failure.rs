//! What can go wrong, and what the process ends with then.

use crate::problem::Problem;

/// Of a command.
pub type Done = Result<(), Failure>;

/// Of `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something else went wrong
  2  the command line, or a value on it, is wrong
  3  not found, or not to be seen by you
  4  not signed in, or not allowed
  5  not done within the time; it may still come about
  6  in conflict with what is there: a name that is taken, a quota, a newer version
  7  the server can't be reached or is overloaded: try again

Files:
  ~/.config/wpaas/config.toml   what `wpaas login` keeps, for your eyes only";

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The command line can't be meant.
    #[error("{0}")]
    Usage(String),
    /// Waiting was given up.
    #[error("{0}")]
    TimedOut(String),
    /// Nothing answers there.
    #[error("{0}")]
    Unreachable(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// As `EXIT_CODES` documents.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(problem) => match problem.status {
                400 | 422 => 2,
                404 => 3,
                401 | 403 => 4,
                408 | 504 => 5,
                409 | 412 => 6,
                429 | 502 | 503 => 7,
                _ => 1,
            },
            Self::Usage(_) => 2,
            Self::TimedOut(_) => 5,
            Self::Unreachable(_) => 7,
            Self::Other(_) => 1,
        }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(problem) => problem.hint(),
            Self::Unreachable(_) => {
                Some("check --api (or WPAAS_API), and that the server runs: its /healthz answers".to_owned())
            }
            Self::Usage(_) | Self::TimedOut(_) | Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_documented_exit_code() {
        let of = |status| Failure::Refused(Box::new(Problem { status, ..Problem::default() })).exit_code();
        let codes = [400, 401, 403, 404, 409, 412, 422, 429, 500, 503, 504].map(of);
        assert_eq!(codes, [2, 4, 4, 3, 6, 6, 2, 7, 1, 7, 5]);
    }
}
