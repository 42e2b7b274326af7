//! Secrets at rest: authenticated encryption under a key file.

use std::path::PathBuf;

/// Why the keyring could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The key file could not be read or written.
    #[error("the key file {path} can't be used")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner can read the key file.
    #[error("the key file {path} has mode {mode:o}: others can read it; run chmod 600 on it")]
    Exposed {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file is not one.
    #[error("the key file {path} is damaged in line {line}: expected a number, a space and 64 hex digits")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which, from 1 on.
        line: usize,
    },
    /// No key opens it: another key file, or it was changed.
    #[error("no key at hand opens it: is this the right key file?")]
    Sealed,
}

/// The keys.
#[derive(Debug)]
pub struct Keyring;
