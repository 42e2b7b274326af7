use jiff::{SignedDuration, Timestamp};

use super::{Service, ServiceError};
use crate::access::Actor;
use crate::account::{Customer, Identity, KeyKind, Lifecycle, User};
use crate::credential::{api_key_hash, api_key_id};
use crate::id::KeyId;
use crate::lockout;
use crate::name::{Cid, Username};
use crate::secret::Secret;
use crate::store::{Bearer, Change, Write};

/// How exactly the last use of a key is kept.
const COARSE: SignedDuration = SignedDuration::from_mins(1);

/// Who presented a key or a session's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// With its roles as they are now.
    pub actor: Actor,
    /// What was presented.
    pub key: KeyId,
    /// Whether that is an API key or a session.
    pub kind: KeyKind,
}

impl Service {
    /// Who this API key, or this session's token, speaks for.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever the reason.
    pub async fn authenticate_key(&self, key: &str, now: Timestamp) -> Result<SignedIn, ServiceError> {
        let id = api_key_id(key).ok_or(ServiceError::Unauthenticated)?;
        let found = self.store().bearer(id).await?;
        let found = found.filter(|found| found.key.hash == api_key_hash(key) && found.key.is_valid(now));
        let Bearer { key, customer, user } = found.ok_or(ServiceError::Unauthenticated)?;
        let actor = speaker(&key.identity, customer, user).ok_or(ServiceError::Unauthenticated)?;
        if key.last_used_at.is_none_or(|last| now.duration_since(last) >= COARSE) {
            self.store().commit(Change::at(now).write(Write::TouchKey(id, now))).await?;
        }
        Ok(SignedIn { actor, key: id, kind: key.kind })
    }

    /// Who is as this actor, who has signed in with this key or with a password, may act as now.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` where it may not any more.
    pub async fn still(
        &self,
        actor: &Actor,
        key: Option<KeyId>,
        now: Timestamp,
    ) -> Result<Actor, ServiceError> {
        let found = match key {
            Some(key) => match self.store().bearer(key).await?.filter(|found| found.key.is_valid(now)) {
                Some(Bearer { key, customer, user }) => speaker(&key.identity, customer, user),
                None => None,
            },
            None => self.actor(&identity_of(actor)).await?,
        };
        found.ok_or(ServiceError::Unauthenticated)
    }

    /// Who signs in with this password: a user of the customer `cid`, or without `cid` a customer itself.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever the reason, and after the same work; `LockedOut` after too many wrong ones.
    pub async fn authenticate_password(
        &self,
        cid: Option<&Cid>,
        username: &Username,
        password: &Secret,
        now: Timestamp,
    ) -> Result<Actor, ServiceError> {
        let identity = self.check_password(cid, username, password, now).await?;
        self.actor(&identity).await?.ok_or(ServiceError::Unauthenticated)
    }

    /// Whose password this is. Whoever it may be, the same work is done. Those that are checked at the same time are
    /// all looked at, however many were wrong before: that is as many as the hashing has room for.
    pub(super) async fn check_password(
        &self,
        cid: Option<&Cid>,
        username: &Username,
        password: &Secret,
        now: Timestamp,
    ) -> Result<Identity, ServiceError> {
        let name = lockout::digest(cid, username);
        let failures = self.store().wrong_passwords(&name).await?;
        let wait = failures.and_then(|failures| failures.wait(self.settings().lockout_after, now));
        if let Some(wait) = wait {
            return Err(ServiceError::LockedOut { wait });
        }
        let found = self.verify_password(cid, username, password).await?;
        let write = match (&found, failures) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => Some(Write::ForgetWrongPasswords(name)),
            (None, _) => Some(Write::CountWrongPassword(name, now)),
        };
        if let Some(write) = write.filter(|_| self.settings().lockout_after > 0) {
            self.store().commit(Change::at(now).write(write)).await?;
        }
        found.ok_or(ServiceError::Unauthenticated)
    }

    async fn verify_password(
        &self,
        cid: Option<&Cid>,
        username: &Username,
        password: &Secret,
    ) -> Result<Option<Identity>, ServiceError> {
        let identity = self.identity(cid, username).await?;
        let hash = match &identity {
            Some(identity) => self.store().password_hash(identity).await?,
            None => None,
        };
        let fits = self.inner.passwords.verify(password, hash).await.map_err(ServiceError::Credential)?;
        Ok(identity.filter(|_| fits))
    }

    async fn identity(
        &self,
        cid: Option<&Cid>,
        username: &Username,
    ) -> Result<Option<Identity>, ServiceError> {
        Ok(match cid {
            None => self
                .store()
                .customer_by_username(username)
                .await?
                .map(|customer| Identity::Customer(customer.cid)),
            Some(cid) => {
                self.store().user_by_name(cid, username).await?.map(|user| Identity::User(user.cid, user.id))
            }
        })
    }

    /// The actor with its roles as they are now; `None` for one that may not sign in any more.
    pub(super) async fn actor(&self, identity: &Identity) -> Result<Option<Actor>, ServiceError> {
        let (customer, user) = match identity {
            Identity::Operator => (None, None),
            Identity::Customer(cid) => (self.store().customer(cid).await?, None),
            Identity::User(cid, id) => (self.store().customer(cid).await?, self.store().user(*id).await?),
        };
        Ok(speaker(identity, customer, user))
    }
}

fn identity_of(actor: &Actor) -> Identity {
    match actor {
        Actor::Operator => Identity::Operator,
        Actor::Customer(cid) => Identity::Customer(cid.clone()),
        Actor::User { cid, id, roles: _ } => Identity::User(cid.clone(), *id),
    }
}

/// Who an identity is now, by what is stored of it; `None` for one that may not sign in any more.
fn speaker(identity: &Identity, customer: Option<Customer>, user: Option<User>) -> Option<Actor> {
    let living = customer.filter(|customer| customer.lifecycle != Lifecycle::Purged);
    match identity {
        Identity::Operator => Some(Actor::Operator),
        Identity::Customer(_) => living.map(|customer| Actor::Customer(customer.cid)),
        Identity::User(cid, id) => {
            let user = user.filter(|user| user.enabled && user.cid == *cid && user.id == *id)?;
            living.map(|_| Actor::User { cid: user.cid, id: user.id, roles: user.roles })
        }
    }
}
