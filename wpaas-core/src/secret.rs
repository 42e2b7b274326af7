//! Secret values and the references to them that may be shown, logged and kept.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::converge::Part;
use crate::id::SiteId;

/// A secret text: never printed, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Every call is a place where the secret could leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which of a site's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SecretName {
    /// Password of the site's own database user.
    DatabasePassword,
    /// The seed of WordPress's keys and salts.
    Salt,
    /// The bcrypt hash of the WordPress admin's password.
    AdminHash,
    /// The WordPress admin's password, until its hash is made of it.
    AdminPassword,
    /// What a node of this part proves itself with when it reports. Derived, not kept.
    ReportToken(Part),
    /// What a code source asks for: a token, or an SSH or S3 key.
    CodeCredential,
    /// A certificate, those that vouch for it, and its key, as PEM; a version each, whatever its name.
    Certificate,
}

/// Names a secret's version without holding it: fit for a plan, a log line, a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    /// Whose.
    pub site: SiteId,
    /// Which.
    pub name: SecretName,
    /// Grows by one with every new value; 1 is the first.
    pub version: u64,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, name, version } = self;
        write!(f, "{site} {name:?} {version}")
    }
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The store has none of that name and version.
    #[error("no secret {name:?} of version {version} for {site}")]
    Absent {
        /// Whose.
        site: SiteId,
        /// Which.
        name: SecretName,
        /// Of which version.
        version: u64,
    },
    /// The key file can't open what the store holds.
    #[error("a secret of {site} can't be opened with the keys at hand; is this the right key file?")]
    Sealed {
        /// Whose.
        site: SiteId,
    },
    /// The store could not be read.
    #[error("the secrets can't be read")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where a backend gets the secrets that a step refers to, at the moment it needs them.
#[async_trait]
pub trait Secrets: fmt::Debug + Send + Sync + 'static {
    /// The value of this reference.
    ///
    /// # Errors
    ///
    /// See [`SecretError`].
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError>;
}
