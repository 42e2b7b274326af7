//! Secrets that are recognised wherever they turn up (S7).

use async_trait::async_trait;

use super::Fixture;
use super::site::Site;
use crate::secret::{Secret, SecretError, SecretName, SecretRef, Secrets};

/// Gives every secret a value that a text can be searched for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Canaries;

impl Canaries {
    /// In every value but that of a hash.
    const TEXT: &str = "canary-4f1c";
    /// A well-formed hash of bcrypt's.
    const HASH: &str = "$2y$10$canarycanarycanarycanuPoM6S0gXlkNTfMQHYzxcPGbFTeUZYZW";

    /// Whether a text gives any secret away.
    #[must_use]
    pub fn shows(text: &str) -> bool {
        text.contains(Self::TEXT) || text.contains(Self::HASH)
    }
}

#[async_trait]
impl Secrets for Canaries {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::new(match secret.name {
            SecretName::AdminHash => Self::HASH.to_owned(),
            name => format!("{}-{name:?}", Self::TEXT),
        }))
    }
}

pub(super) async fn no_secret_is_shown(fixture: &dyn Fixture) {
    let site = Site::new(fixture);
    for (part, action) in site.parts() {
        let object = site.make(part, action).await;
        let shown = fixture.shown(site.id, &object).await;
        assert!(!Canaries::shows(&shown), "{part} shows a secret: {shown}");
        assert!(!Canaries::shows(&format!("{object:?}")), "{part}'s object shows a secret");
    }
}
