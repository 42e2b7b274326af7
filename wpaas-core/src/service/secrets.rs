use std::fmt;

use async_trait::async_trait;

use super::Service;
use crate::converge::Part;
use crate::id::SiteId;
use crate::secret::{Secret, SecretError, SecretName, SecretRef, Secrets};

/// The store's secrets, opened with the keyring.
#[derive(Clone)]
pub struct StoreSecrets {
    service: Service,
}

impl fmt::Debug for StoreSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreSecrets")
    }
}

/// What a sealed secret is bound to: it opens nowhere else.
pub(super) fn context(site: SiteId, name: SecretName, version: u64) -> String {
    let name = match name {
        SecretName::DatabasePassword => "database-password".to_owned(),
        SecretName::Salt => "salt".to_owned(),
        SecretName::AdminHash => "admin-hash".to_owned(),
        SecretName::CodeCredential => "code-credential".to_owned(),
        SecretName::ReportToken(part) => format!("report-token/{part}"),
    };
    format!("secret/{site}/{name}/{version}")
}

#[async_trait]
impl Secrets for StoreSecrets {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        let SecretRef { site, name, version } = *secret;
        let keyring = &self.service.inner.keyring;
        if let SecretName::ReportToken(part) = name {
            return Ok(keyring.report_token(site, part));
        }
        let found = self.service.store().secret(site, name, version).await;
        let found = found.map_err(|error| SecretError::Unavailable(Box::new(error)))?;
        let found = found.ok_or(SecretError::Absent { site, name, version })?;
        let plain = keyring.open(&context(site, name, version), &found.sealed);
        let plain = plain.map_err(|_| SecretError::Sealed { site })?;
        let text = std::str::from_utf8(&plain).map_err(|_| SecretError::Sealed { site })?;
        Ok(Secret::new(text.to_owned()))
    }
}

impl Service {
    /// What a backend and a release worker open secrets with.
    #[must_use]
    pub fn secrets(&self) -> StoreSecrets {
        StoreSecrets { service: self.clone() }
    }

    /// Whether this is the token that the part's node reports with. Takes the same time whatever is presented.
    #[must_use]
    pub fn verify_report_token(&self, site: SiteId, part: Part, presented: &str) -> bool {
        self.inner.keyring.verify_report_token(site, part, presented)
    }
}
