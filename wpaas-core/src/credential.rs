//! Passwords and API keys.

/// Why a password could not be handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The hash function failed.
    #[error("a password could not be hashed or checked")]
    Hash(#[source] Box<dyn std::error::Error + Send + Sync>),
}
