use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::service::{Service, ServiceError};
use crate::store::{Change, PendingLogin, StoreError, Violation, Write};

/// How long a person may take at the provider.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

impl Service {
    /// Remembers, sealed, what belongs to a login that begins at an identity provider, for ten minutes. `state` is
    /// what the provider sends back with the browser: random, and given once.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn begin_login(
        &self,
        state: &Secret,
        remember: &[u8],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let state = digest(state);
        let sealed = self.inner.keyring.seal(&context(&state), remember).map_err(ServiceError::Keyring)?;
        let expires_at = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let login = PendingLogin { state, expires_at, sealed };
        let change =
            Change::at(now).write(Write::ExpirePendingLogins(now)).write(Write::InsertPendingLogin(login));
        self.store().commit(change).await?;
        Ok(())
    }

    /// What was remembered of the login with this state. Whoever asks first has it, and nobody after: of any number
    /// that ask at once, at whatever server, one. `None` for one that was taken, has expired, or never began.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn take_login(
        &self,
        state: &Secret,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ServiceError> {
        let state = digest(state);
        let Some(login) = self.store().pending_login(&state).await? else { return Ok(None) };
        match self.store().commit(Change::at(now).write(Write::TakePendingLogin(state))).await {
            Err(StoreError::Violated(Violation::LoginNotPending)) => return Ok(None),
            taken => taken?,
        };
        if login.expires_at <= now {
            return Ok(None);
        }
        self.inner.keyring.open(&context(&state), &login.sealed).map(Some).map_err(ServiceError::Keyring)
    }
}

fn digest(state: &Secret) -> [u8; 32] {
    Sha256::digest(state.expose().as_bytes()).into()
}

fn context(state: &[u8; 32]) -> String {
    format!("pending-login/{}", hex::encode(state))
}
