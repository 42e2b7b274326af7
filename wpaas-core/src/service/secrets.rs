use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Service;
use crate::converge::Part;
use crate::credential::Haste;
use crate::id::SiteId;
use crate::secret::{Secret, SecretError, SecretName, SecretRef, Secrets};
use crate::store::{Change, SealedSecret, Write};

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
        SecretName::AdminPassword => "admin-password".to_owned(),
        SecretName::CodeCredential => "code-credential".to_owned(),
        SecretName::Certificate => "certificate".to_owned(),
        SecretName::ReportToken(part) => format!("report-token/{part}"),
    };
    format!("secret/{site}/{name}/{version}")
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> SecretError {
    SecretError::Unavailable(Box::new(error))
}

#[async_trait]
impl Secrets for StoreSecrets {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        let SecretRef { site, name, version } = *secret;
        if let SecretName::ReportToken(part) = name {
            return Ok(self.service.inner.keyring.report_token(site, part));
        }
        match self.service.kept(site, name, version).await {
            Err(SecretError::Absent { .. }) if name == SecretName::AdminHash => {
                self.service.hash_now(site, version).await
            }
            found => found,
        }
    }
}

impl Service {
    /// What a backend and a release worker open secrets with.
    #[must_use]
    pub fn secrets(&self) -> StoreSecrets {
        StoreSecrets { service: self.clone() }
    }

    async fn kept(&self, site: SiteId, name: SecretName, version: u64) -> Result<Secret, SecretError> {
        let found = self.store().secret(site, name, version).await.map_err(unavailable)?;
        let found = found.ok_or(SecretError::Absent { site, name, version })?;
        self.opened(&found)
    }

    fn opened(&self, secret: &SealedSecret) -> Result<Secret, SecretError> {
        let SealedSecret { site, name, version, sealed } = secret;
        let sealed_error = || SecretError::Sealed { site: *site };
        let plain = self.inner.keyring.open(&context(*site, *name, *version), sealed);
        let plain = plain.map_err(|_| sealed_error())?;
        let text = std::str::from_utf8(&plain).map_err(|_| sealed_error())?;
        Ok(Secret::new(text.to_owned()))
    }

    /// The hash of an admin's password that somebody waits for. Read again afterwards: another may have been first.
    async fn hash_now(&self, site: SiteId, version: u64) -> Result<Secret, SecretError> {
        let password = match self.kept(site, SecretName::AdminPassword, version).await {
            // Its hash may have taken its place meanwhile.
            Err(SecretError::Absent { .. }) => return self.kept(site, SecretName::AdminHash, version).await,
            password => password?,
        };
        self.replace_password(site, version, &password, Haste::Waited).await?;
        self.kept(site, SecretName::AdminHash, version).await
    }

    async fn replace_password(
        &self,
        site: SiteId,
        version: u64,
        password: &Secret,
        haste: Haste,
    ) -> Result<(), SecretError> {
        let hash = self.inner.passwords.hash_for_wordpress(password, haste).await.map_err(unavailable)?;
        let context = context(site, SecretName::AdminHash, version);
        let sealed = self.inner.keyring.seal(&context, hash.expose().as_bytes()).map_err(unavailable)?;
        let hash = SealedSecret { site, name: SecretName::AdminHash, version, sealed };
        let mut change = Change::at(Timestamp::now()).write(Write::HashPassword(hash));
        change.aside = haste == Haste::None;
        self.store().commit(change).await.map(drop).map_err(unavailable)
    }

    /// Puts the hash in the place of some admins' passwords, and says of how many; 0 when none is left. A password is
    /// kept sealed until then, so that no request waits for its hash.
    ///
    /// # Errors
    ///
    /// `Unavailable`, and `Sealed` when the keys at hand are not those that sealed it.
    pub async fn hash_admin_passwords(&self, limit: usize) -> Result<usize, SecretError> {
        let passwords = self.store().passwords_to_hash(limit).await.map_err(unavailable)?;
        for sealed in &passwords {
            let password = self.opened(sealed)?;
            self.replace_password(sealed.site, sealed.version, &password, Haste::None).await?;
        }
        Ok(passwords.len())
    }

    /// Whether this is the token that the part's node reports with. Takes the same time whatever is presented.
    #[must_use]
    pub fn verify_report_token(&self, site: SiteId, part: Part, presented: &str) -> bool {
        self.inner.keyring.verify_report_token(site, part, presented)
    }
}
