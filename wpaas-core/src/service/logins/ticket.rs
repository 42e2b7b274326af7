use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ExternalAccount;
use crate::secret::Secret;
use crate::service::{Service, ServiceError};

/// How long a person may take to say whom the account belongs to.
const LIFETIME: SignedDuration = SignedDuration::from_mins(15);
const PREFIX: &str = "wpt_";
/// What is sealed under this opens as nothing else.
const CONTEXT: &str = "login-ticket";

/// What the holder of an account that signs nobody in yet links it with, by hand: whoever presents it has signed in
/// here, or registers.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// What is presented.
    pub text: Secret,
    /// From when on it links nothing.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    account: ExternalAccount,
    expires_at: Timestamp,
}

impl Service {
    /// A ticket for an account that has just proved itself.
    pub(super) fn ticket(&self, account: &ExternalAccount, now: Timestamp) -> Result<Ticket, ServiceError> {
        let expires_at = now.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX);
        let sealed = Sealed { account: account.clone(), expires_at };
        let plain = serde_json::to_vec(&sealed).map_err(|_| no_ticket())?;
        let sealed = self.inner.keyring.seal(CONTEXT, &plain).map_err(ServiceError::Keyring)?;
        Ok(Ticket { text: Secret::new(format!("{PREFIX}{}", hex::encode(sealed))), expires_at })
    }

    /// The account that a ticket was given for.
    ///
    /// # Errors
    ///
    /// `Invalid` for what is no ticket of this installation, or not any more.
    pub fn open_ticket(&self, ticket: &Secret, now: Timestamp) -> Result<ExternalAccount, ServiceError> {
        let sealed = ticket.expose().strip_prefix(PREFIX).and_then(|digits| hex::decode(digits).ok());
        let plain = sealed.and_then(|sealed| self.inner.keyring.open(CONTEXT, &sealed).ok());
        let sealed = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        let Sealed { account, expires_at } = sealed.ok_or_else(no_ticket)?;
        if expires_at <= now {
            return Err(ServiceError::invalid("ticket", "has expired: sign in at the provider again"));
        }
        Ok(account)
    }
}

fn no_ticket() -> ServiceError {
    ServiceError::invalid("ticket", "must be the ticket that a sign-in at a provider ended with")
}
