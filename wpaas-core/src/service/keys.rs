use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::commit::{Rounds, may, who, writable};
use super::text::check_label;
use super::{ConflictCode, Listed, Noun, Page, Service, ServiceError, Settings};
use crate::access::{Action, Actor, Scope};
use crate::account::{ApiKey, Identity, KeyKind};
use crate::credential::{api_key_hash, api_key_text};
use crate::id::KeyId;
use crate::secret::Secret;
use crate::store::{Change, EventKind, Expect, NewEvent, Record, Subject, Who, Write};

/// An API key to issue.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What its owner calls it.
    pub label: String,
    /// How long it is valid; the operator's setting without, and at most that.
    pub lifetime: Option<SignedDuration>,
}

/// An API key with its text, which is shown this once.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    /// As it is kept.
    pub key: ApiKey,
    /// `wpk_<id>_<secret>`.
    pub text: Secret,
}

impl Service {
    /// Issues a key that speaks for `owner`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `Invalid`.
    pub async fn create_key(
        &self,
        actor: &Actor,
        owner: &Identity,
        new: NewKey,
        now: Timestamp,
    ) -> Result<IssuedKey, ServiceError> {
        may_manage(actor, owner)?;
        self.check_owner(actor, owner).await?;
        let issued = issue(owner.clone(), &new, self.settings(), now)?;
        let change = issuing(&issued.key, who(actor), EventKind::KeyIssued, now);
        let mut rounds = Rounds::default();
        loop {
            if self.commit(change.clone(), &mut rounds).await? {
                return Ok(issued);
            }
            self.check_owner(actor, owner).await?;
        }
    }

    /// The API keys that speak for `owner`, also those that open nothing any more.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn keys(
        &self,
        actor: &Actor,
        owner: &Identity,
        page: Page<KeyId>,
    ) -> Result<Listed<ApiKey, KeyId>, ServiceError> {
        self.check_manager(actor, owner).await?;
        let (page, limit) = page.and_one();
        let keys = self.store().keys(owner, KeyKind::Api, &page).await?;
        Ok(Listed::cut(keys, limit, |key| key.id))
    }

    /// The API key of this id, if it speaks for `owner`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn key(&self, actor: &Actor, owner: &Identity, id: KeyId) -> Result<ApiKey, ServiceError> {
        self.check_manager(actor, owner).await?;
        let found = self.store().key(id).await?;
        let found = found.filter(|key| key.identity == *owner && key.kind == KeyKind::Api);
        found.ok_or(ServiceError::not_found(Noun::Key))
    }

    /// Issues a new key in the place of this one, which stays valid for the overlap.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `wrong_lifecycle` for a key that opens nothing any more.
    pub async fn renew_key(
        &self,
        actor: &Actor,
        id: KeyId,
        now: Timestamp,
    ) -> Result<IssuedKey, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let mut old = self.managed_key(actor, id).await?;
            self.check_owner(actor, &old.identity).await?;
            if !old.is_valid(now) {
                let message = "the key opens nothing any more, so it can't be renewed: issue a new one";
                return Err(ServiceError::conflict(ConflictCode::WrongLifecycle, message));
            }
            let new = NewKey { label: old.label.clone(), lifetime: None };
            let issued = issue(old.identity.clone(), &new, self.settings(), now)?;
            let overlap = now.saturating_add(self.settings().key_overlap).unwrap_or(Timestamp::MAX);
            old.expires_at = old.expires_at.min(overlap);
            old.version += 1;
            let mut change = issuing(&issued.key, who(actor), EventKind::KeyRenewed, now);
            change.writes.push(Write::UpdateKey(old));
            if self.commit(change, &mut rounds).await? {
                return Ok(issued);
            }
        }
    }

    /// Takes a key back: it opens nothing from now on. Doing so again changes nothing.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn revoke_key(&self, actor: &Actor, id: KeyId, now: Timestamp) -> Result<ApiKey, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let mut key = self.managed_key(actor, id).await?;
            if key.revoked {
                return Ok(key);
            }
            key.revoked = true;
            key.version += 1;
            let event = of_key(&key, who(actor), EventKind::KeyRevoked);
            let change = Change::at(now).write(Write::UpdateKey(key.clone())).event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(key);
            }
        }
    }

    /// The key, if the actor may manage it; another's is not there.
    async fn managed_key(&self, actor: &Actor, id: KeyId) -> Result<ApiKey, ServiceError> {
        let found = self.store().key(id).await?.filter(|key| key.kind == KeyKind::Api);
        let key = found.ok_or(ServiceError::not_found(Noun::Key))?;
        may_manage(actor, &key.identity).map_err(|_| ServiceError::not_found(Noun::Key))?;
        Ok(key)
    }

    /// Whether the actor may manage the owner's keys, and the owner is there.
    pub(super) async fn check_manager(&self, actor: &Actor, owner: &Identity) -> Result<(), ServiceError> {
        may_manage(actor, owner)?;
        if let Identity::Customer(cid) = owner {
            self.visible_customer(actor, cid).await?;
        }
        Ok(())
    }

    /// Whether the owner is there, and its customer may change anything.
    pub(super) async fn check_owner(&self, actor: &Actor, owner: &Identity) -> Result<(), ServiceError> {
        let cid = match owner {
            Identity::Operator => return Ok(()),
            Identity::Customer(cid) | Identity::User(cid, _) => cid,
        };
        writable(self.visible_customer(actor, cid).await?.lifecycle)?;
        if let Identity::User(_, id) = owner {
            let found = self.store().user(*id).await?.filter(|user| user.cid == *cid);
            found.ok_or(ServiceError::not_found(Noun::User))?;
        }
        Ok(())
    }
}

pub(super) fn may_manage(actor: &Actor, owner: &Identity) -> Result<(), ServiceError> {
    match owner {
        Identity::Operator => may(actor, Action::KeyManage, Scope::System, Noun::Key),
        Identity::Customer(cid) => may(actor, Action::KeyManage, Scope::Customer(cid), Noun::Customer),
        Identity::User(cid, id) => may(actor, Action::KeyManage, Scope::User(cid, *id), Noun::User),
    }
}

pub(super) fn issue(
    identity: Identity,
    new: &NewKey,
    settings: &Settings,
    now: Timestamp,
) -> Result<IssuedKey, ServiceError> {
    check_label(&new.label)?;
    let lifetime = new.lifetime.unwrap_or(settings.key_lifetime);
    if !lifetime.is_positive() || lifetime > settings.key_lifetime {
        let why = format!("must be more than 0 and at most {} hours", settings.key_lifetime.as_hours());
        return Err(ServiceError::invalid("lifetime", why));
    }
    let id = KeyId::new();
    let text = api_key_text(KeyKind::Api, id);
    let key = ApiKey {
        id,
        kind: KeyKind::Api,
        identity,
        label: new.label.clone(),
        hash: api_key_hash(text.expose()),
        created_at: now,
        expires_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        last_used_at: None,
        revoked: false,
        version: 1,
    };
    Ok(IssuedKey { key, text })
}

fn issuing(key: &ApiKey, who: Who, kind: EventKind, now: Timestamp) -> Change {
    let mut change = Change::at(now).write(Write::InsertKey(key.clone())).event(of_key(key, who, kind));
    match &key.identity {
        Identity::Operator => {}
        Identity::Customer(cid) => change.expect.push(Expect::CustomerActive(cid.clone())),
        Identity::User(cid, id) => {
            change.expect.push(Expect::CustomerActive(cid.clone()));
            change.expect.push(Expect::Present(Record::User(*id)));
        }
    }
    change
}

pub(super) fn of_key(key: &ApiKey, who: Who, kind: EventKind) -> NewEvent {
    let (cid, owner) = match &key.identity {
        Identity::Operator => (None, "operator".to_owned()),
        Identity::Customer(cid) => (Some(cid.clone()), cid.to_string()),
        Identity::User(cid, id) => (Some(cid.clone()), id.to_string()),
    };
    let detail = json!({ "owner": owner, "expires_at": key.expires_at });
    NewEvent { cid, org: None, space: None, who, kind, subject: Subject::Key(key.id), detail }
}
