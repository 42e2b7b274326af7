use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::commit::{Rounds, who};
use super::{ConflictCode, Service, ServiceError};
use crate::access::Actor;
use crate::account::{ExternalLogin, Identity};
use crate::id::LoginId;
use crate::name::{Cid, Email};
use crate::secret::Secret;
use crate::store::{Change, EventKind, Expect, NewEvent, Record, Subject, Who, Write};

mod pending;
mod sign_in;
mod ticket;

pub use sign_in::{ByEmail, ExternalSignIn};
pub use ticket::Ticket;

/// Linked accounts of one identity.
const MOST: usize = 20;

/// An account at an identity provider that has just proved itself there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalAccount {
    /// The provider, by the URL that it calls itself.
    pub issuer: String,
    /// The account there; the provider never gives it to somebody else.
    pub subject: String,
    /// What people know the account by, such as its e-mail address.
    pub label: String,
    /// The account's e-mail address, if the provider says that it has proof of it.
    pub verified_email: Option<Email>,
}

impl Service {
    /// The accounts elsewhere that sign the actor in.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn logins(&self, actor: &Actor) -> Result<Vec<ExternalLogin>, ServiceError> {
        Ok(self.store().external_logins(&actor.into()).await?)
    }

    /// Lets the account of this ticket sign the actor in from now on. One that does so already is left as it is.
    ///
    /// # Errors
    ///
    /// `Forbidden` for the operator; `Invalid` for what is no ticket, or not any more; `login_taken`,
    /// `too_many_logins`, `CustomerSuspended`.
    pub async fn link_login(
        &self,
        actor: &Actor,
        ticket: &Secret,
        now: Timestamp,
    ) -> Result<ExternalLogin, ServiceError> {
        let account = self.open_ticket(ticket, now)?;
        let (identity, cid) = (Identity::from(actor), own_customer(actor)?.clone());
        let mut rounds = Rounds::default();
        loop {
            match self.store().external_login(&account.issuer, &account.subject).await? {
                Some(login) if login.identity == identity => return Ok(login),
                Some(_) => return Err(taken()),
                None => {}
            }
            if self.store().external_logins(&identity).await?.len() >= MOST {
                let message = format!("no more than {MOST} accounts can be linked: unlink one first");
                return Err(ServiceError::conflict(ConflictCode::TooManyLogins, message));
            }
            let change = Change::at(now).expect(Expect::CustomerActive(cid.clone()));
            let change = linking(present(change, &identity), &account, &identity, who(actor));
            if self.commit(change, &mut rounds).await? {
                return Ok(login(&account, &identity, now));
            }
        }
    }

    /// Lets one of the actor's own accounts sign nobody in any more, and ends the actor's sessions: some may have
    /// been begun by it. One that is not there is unlinked already.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn unlink_login(&self, actor: &Actor, id: LoginId, now: Timestamp) -> Result<(), ServiceError> {
        let identity = Identity::from(actor);
        let own = self.store().external_logins(&identity).await?;
        let Some(login) = own.into_iter().find(|login| login.id() == id) else { return Ok(()) };
        let event = event(&login, EventKind::LoginUnlinked, who(actor));
        let ExternalLogin { issuer, subject, .. } = login;
        let change = Change::at(now)
            .write(Write::DeleteExternalLogin(identity.clone(), issuer, subject))
            .write(Write::DeleteSessions(identity));
        self.commit(event.into_iter().fold(change, Change::event), &mut Rounds::default()).await?;
        Ok(())
    }

    /// Whether the account signs nobody in yet.
    pub(super) async fn check_unlinked(&self, account: &ExternalAccount) -> Result<(), ServiceError> {
        match self.store().external_login(&account.issuer, &account.subject).await? {
            Some(_) => Err(taken()),
            None => Ok(()),
        }
    }
}

fn taken() -> ServiceError {
    let message = "this account signs somebody in already: sign in with it, and unlink it there first";
    ServiceError::conflict(ConflictCode::LoginTaken, message)
}

/// The operator's token is not to be had from another party.
fn own_customer(actor: &Actor) -> Result<&Cid, ServiceError> {
    match actor {
        Actor::Operator => {
            Err(ServiceError::Forbidden { why: "the operator signs in with the operator's token alone" })
        }
        Actor::Customer(cid) | Actor::User { cid, .. } => Ok(cid),
    }
}

fn present(change: Change, identity: &Identity) -> Change {
    match identity {
        Identity::User(_, id) => change.expect(Expect::Present(Record::User(*id))),
        Identity::Customer(_) | Identity::Operator => change,
    }
}

fn login(account: &ExternalAccount, identity: &Identity, now: Timestamp) -> ExternalLogin {
    let ExternalAccount { issuer, subject, label, verified_email: _ } = account.clone();
    ExternalLogin { issuer, subject, identity: identity.clone(), label, created_at: now }
}

/// The change with the account linked to the identity.
pub(super) fn linking(change: Change, account: &ExternalAccount, identity: &Identity, who: Who) -> Change {
    let login = login(account, identity, change.at);
    let event = event(&login, EventKind::LoginLinked, who);
    event.into_iter().fold(change.write(Write::InsertExternalLogin(login)), Change::event)
}

/// What is told; nothing of the operator, who has no account.
fn event(login: &ExternalLogin, kind: EventKind, who: Who) -> Option<NewEvent> {
    let (cid, subject) = match &login.identity {
        Identity::Operator => return None,
        Identity::Customer(cid) => (cid, Subject::Customer(cid.clone())),
        Identity::User(cid, id) => (cid, Subject::User(*id)),
    };
    let detail = json!({ "login": login.id(), "issuer": login.issuer });
    Some(NewEvent { cid: Some(cid.clone()), org: None, space: None, who, kind, subject, detail })
}
