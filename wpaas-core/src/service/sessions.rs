use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, who};
use super::{IssuedKey, Listed, Page, Service, ServiceError};
use crate::access::Actor;
use crate::account::{ApiKey, Identity, KeyKind};
use crate::credential::{api_key_hash, api_key_text};
use crate::id::KeyId;
use crate::name::{Cid, Username};
use crate::secret::Secret;
use crate::store::{Change, EventKind, Expect, NewEvent, Record, Subject, Who, Write};

/// Sessions of one identity at a time; the oldest gives way to a new one.
const MOST: usize = 50;

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its token, shown this once, and what is kept of it.
    pub issued: IssuedKey,
    /// Whom it speaks for.
    pub actor: Actor,
}

impl Service {
    /// Begins a session for whoever has this password: a user of the customer `cid`, or without `cid` a customer
    /// itself. A customer that is suspended or to be removed may sign in, to read or to come back.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`, whatever the reason, and after the same work; `LockedOut` after too many wrong ones;
    /// `Credential` when too many wait for that.
    pub async fn sign_in(
        &self,
        cid: Option<&Cid>,
        username: &Username,
        password: &Secret,
        now: Timestamp,
    ) -> Result<Session, ServiceError> {
        let identity = self.check_password(cid, username, password, now).await?;
        self.begin_session(&identity, "password", now).await
    }

    /// Begins a session for an identity that has proved itself by `means`.
    pub(super) async fn begin_session(
        &self,
        identity: &Identity,
        means: &str,
        now: Timestamp,
    ) -> Result<Session, ServiceError> {
        let actor = self.actor(identity).await?.ok_or(ServiceError::Unauthenticated)?;
        let others = self.store().keys(identity, KeyKind::Session, &Page::first(2 * MOST)).await?;
        let issued = issue(identity.clone(), self.settings().session_lifetime, now);
        let mut change = Change::at(now).write(Write::InsertKey(issued.key.clone()));
        change.writes.extend(outlived(&others, now).map(Write::DeleteKey));
        if let Identity::User(_, id) = identity {
            change = change.expect(Expect::Present(Record::User(*id)));
        }
        let detail = json!({ "means": means, "expires_at": issued.key.expires_at });
        let change =
            change.event(event(identity, Some(issued.key.id), &actor, EventKind::SessionStarted, detail));
        let begun = self.commit(change, &mut Rounds::default()).await?;
        if begun { Ok(Session { issued, actor }) } else { Err(ServiceError::Unauthenticated) }
    }

    /// The actor's own sessions.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sessions(
        &self,
        actor: &Actor,
        page: Page<KeyId>,
    ) -> Result<Listed<ApiKey, KeyId>, ServiceError> {
        let (page, limit) = page.and_one();
        let sessions = self.store().keys(&actor.into(), KeyKind::Session, &page).await?;
        Ok(Listed::cut(sessions, limit, |session| session.id))
    }

    /// Ends one of the actor's own sessions, or all of them. One that is not there is ended already.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sign_out(
        &self,
        actor: &Actor,
        session: Option<KeyId>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let identity = Identity::from(actor);
        let write = match session {
            None => Write::DeleteSessions(identity.clone()),
            Some(id) => match self.store().key(id).await? {
                Some(key) if key.identity == identity && key.kind == KeyKind::Session => Write::DeleteKey(id),
                _ => return Ok(()),
            },
        };
        let detail = json!({ "all": session.is_none() });
        let event = event(&identity, session, actor, EventKind::SessionEnded, detail);
        self.store().commit(Change::at(now).write(write).event(event)).await?;
        Ok(())
    }
}

fn issue(identity: Identity, lifetime: jiff::SignedDuration, now: Timestamp) -> IssuedKey {
    let id = KeyId::new();
    let text = api_key_text(KeyKind::Session, id);
    let key = ApiKey {
        id,
        kind: KeyKind::Session,
        identity,
        label: String::new(),
        hash: api_key_hash(text.expose()),
        created_at: now,
        expires_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        last_used_at: None,
        revoked: false,
        version: 1,
    };
    IssuedKey { key, text }
}

/// What goes when one more begins: what has ended by itself, and the oldest of too many.
fn outlived(sessions: &[ApiKey], now: Timestamp) -> impl Iterator<Item = KeyId> {
    let living = sessions.iter().filter(move |session| session.is_valid(now)).count();
    let mut surplus = (living + 1).saturating_sub(MOST);
    sessions.iter().filter_map(move |session| {
        let goes = !session.is_valid(now) || surplus > 0;
        if session.is_valid(now) {
            surplus = surplus.saturating_sub(1);
        }
        goes.then_some(session.id)
    })
}

/// Without a session's id it is about the identity itself.
fn event(
    identity: &Identity,
    session: Option<KeyId>,
    actor: &Actor,
    kind: EventKind,
    detail: serde_json::Value,
) -> NewEvent {
    let (cid, owner) = match identity {
        Identity::Operator => (None, None),
        Identity::Customer(cid) => (Some(cid.clone()), Some(Subject::Customer(cid.clone()))),
        Identity::User(cid, id) => (Some(cid.clone()), Some(Subject::User(*id))),
    };
    let who: Who = who(actor);
    let subject =
        session.map(Subject::Key).or(owner).unwrap_or(Subject::Key(KeyId::from_uuid(uuid::Uuid::nil())));
    NewEvent { cid, org: None, space: None, who, kind, subject, detail }
}

impl From<&Actor> for Identity {
    fn from(actor: &Actor) -> Self {
        match actor {
            Actor::Operator => Self::Operator,
            Actor::Customer(cid) => Self::Customer(cid.clone()),
            Actor::User { cid, id, roles: _ } => Self::User(cid.clone(), *id),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    #[test]
    fn what_has_ended_and_the_oldest_of_too_many_give_way() {
        let (now, hour) = (Timestamp::UNIX_EPOCH + 100.hours(), jiff::SignedDuration::from_hours(1));
        let session = |at| issue(Identity::Operator, hour, at).key;
        let ended = session(now - 2.hours());
        let living: Vec<_> = (0..MOST).map(|_| session(now)).collect();
        let all = |count: usize| [std::slice::from_ref(&ended), &living[..count]].concat();
        assert_eq!(outlived(&all(MOST - 1), now).collect::<Vec<_>>(), [ended.id]);
        assert_eq!(outlived(&all(MOST), now).collect::<Vec<_>>(), [ended.id, living[0].id]);
    }
}
