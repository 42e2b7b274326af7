use crate::credential::{CredentialError, fit_for_wordpress, random_text};
use crate::id::SiteId;
use crate::secret::{Secret, SecretName};
use crate::service::secrets::context;
use crate::service::{Service, ServiceError};
use crate::store::{SealedSecret, Write};

/// Of generated passwords and of the salt's seed: some 250 bits.
const GENERATED: usize = 43;

/// A new password, or seed of the salt.
pub(in crate::service) fn generated() -> Secret {
    random_text(GENERATED)
}

impl Service {
    /// A secret, sealed for its place.
    pub(in crate::service) fn sealed(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
        secret: &Secret,
    ) -> Result<SealedSecret, ServiceError> {
        let context = context(site, name, version);
        let sealed = self.inner.keyring.seal(&context, secret.expose().as_bytes());
        Ok(SealedSecret { site, name, version, sealed: sealed.map_err(ServiceError::Keyring)? })
    }

    /// The write that keeps a secret, sealed for its place.
    pub(in crate::service) fn seal(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
        secret: &Secret,
    ) -> Result<Write, ServiceError> {
        self.sealed(site, name, version, secret).map(Write::InsertSecret)
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
