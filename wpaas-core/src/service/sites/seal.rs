use crate::credential::{CredentialError, fit_for_wordpress, random_text};
use crate::id::SiteId;
use crate::secret::{Secret, SecretName};
use crate::service::secrets::context;
use crate::service::{Service, ServiceError};
use crate::store::{SealedSecret, Write};

/// Of generated passwords and of the salt's seed: some 250 bits.
const GENERATED: usize = 43;

impl Service {
    /// The write that keeps a secret, sealed for its place.
    pub(in crate::service) fn seal(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
        secret: &Secret,
    ) -> Result<Write, ServiceError> {
        let context = context(site, name, version);
        let sealed = self.inner.keyring.seal(&context, secret.expose().as_bytes());
        let sealed = sealed.map_err(ServiceError::Keyring)?;
        Ok(Write::InsertSecret(SealedSecret { site, name, version, sealed }))
    }

    /// The secrets that every site has from the beginning.
    pub(super) fn first_secrets(&self, site: SiteId) -> Result<Vec<Write>, ServiceError> {
        [SecretName::DatabasePassword, SecretName::Salt]
            .into_iter()
            .map(|name| self.seal(site, name, 1, &random_text(GENERATED)))
            .collect()
    }

    /// The write that keeps an admin's password, sealed, until its hash is made of it.
    pub(super) fn seal_admin_password(
        &self,
        site: SiteId,
        version: u64,
        password: &Secret,
    ) -> Result<Write, ServiceError> {
        fit_for_wordpress(password).map_err(|error| match error {
            CredentialError::Unfit(why) => ServiceError::invalid("admin_password", why),
            error => ServiceError::Credential(error),
        })?;
        self.seal(site, SecretName::AdminPassword, version, password)
    }
}
