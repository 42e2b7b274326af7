use async_trait::async_trait;

use super::{MemoryStore, page, same_address};
use crate::account::{ApiKey, ExternalLogin, Identity, KeyKind, User};
use crate::id::{KeyId, UserId};
use crate::lockout::{Failures, NameDigest};
use crate::name::{Cid, Email, Username};
use crate::store::{Bearer, KeyReads, Page, PendingLogin, StoreError, UserReads};

#[async_trait]
impl UserReads for MemoryStore {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().users.get(&id).cloned())
    }

    async fn user_by_name(&self, cid: &Cid, username: &Username) -> Result<Option<User>, StoreError> {
        Ok(self.state().user_of_login(cid, username).cloned())
    }

    async fn users_by_email(&self, cid: &Cid, email: &Email, limit: usize) -> Result<Vec<User>, StoreError> {
        let is = |user: &&User| user.cid == *cid && same_address(&user.email, email);
        Ok(self.state().users.values().filter(is).take(limit).cloned().collect())
    }

    async fn users(&self, cid: &Cid, at: &Page<UserId>) -> Result<Vec<User>, StoreError> {
        Ok(page(&self.state().users, at, |user| user.cid == *cid).cloned().collect())
    }

    async fn password_hash(&self, identity: &Identity) -> Result<Option<String>, StoreError> {
        Ok(self.state().passwords.get(identity).cloned())
    }

    async fn wrong_passwords(&self, name: &NameDigest) -> Result<Option<Failures>, StoreError> {
        Ok(self.state().wrong_passwords.get(name).copied())
    }

    async fn external_login(&self, issuer: &str, subject: &str) -> Result<Option<ExternalLogin>, StoreError> {
        Ok(self.state().external_logins.get(&(issuer.to_owned(), subject.to_owned())).cloned())
    }

    async fn external_logins(&self, identity: &Identity) -> Result<Vec<ExternalLogin>, StoreError> {
        let state = self.state();
        Ok(state.external_logins.values().filter(|login| login.identity == *identity).cloned().collect())
    }

    async fn pending_login(&self, state: &[u8; 32]) -> Result<Option<PendingLogin>, StoreError> {
        Ok(self.state().pending_logins.get(state).cloned())
    }
}

#[async_trait]
impl KeyReads for MemoryStore {
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.state().keys.get(&id).cloned())
    }

    async fn bearer(&self, id: KeyId) -> Result<Option<Bearer>, StoreError> {
        let state = self.state();
        let bearer = |key: &ApiKey| {
            let (cid, user) = match &key.identity {
                Identity::Operator => (None, None),
                Identity::Customer(cid) => (Some(cid), None),
                Identity::User(cid, user) => (Some(cid), state.users.get(user).cloned()),
            };
            Bearer { key: key.clone(), customer: cid.and_then(|cid| state.customers.get(cid).cloned()), user }
        };
        Ok(state.keys.get(&id).map(bearer))
    }

    async fn keys(
        &self,
        identity: &Identity,
        kind: KeyKind,
        at: &Page<KeyId>,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let pass = |key: &ApiKey| key.identity == *identity && key.kind == kind;
        Ok(page(&self.state().keys, at, pass).cloned().collect())
    }
}
