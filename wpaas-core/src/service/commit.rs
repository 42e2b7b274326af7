use serde_json::Value;

use super::{Answer, Noun, Service, ServiceError};
use crate::access::{Access, Action, Actor, Scope, decide};
use crate::account::{Customer, Lifecycle, Org, Space, User};
use crate::service::ConflictCode;
use crate::site::Site;
use crate::store::{Change, Committed, EventKind, NewEvent, StoreError, Subject, Violation, Who};

/// How often a decision is taken anew because what it was taken on has changed meanwhile.
const ROUNDS: u32 = 100;

/// Counts the rounds of one request.
#[derive(Debug, Default)]
pub(super) struct Rounds(u32);

impl Service {
    /// Commits what was decided. `false`: what it was decided on has changed, so read and decide again.
    pub(super) async fn commit(&self, change: Change, rounds: &mut Rounds) -> Result<bool, ServiceError> {
        self.commit_answered(change, || None, rounds).await
    }

    /// As [`Service::commit`]; under an idempotency key the answer is kept in the same transaction, if there is one.
    pub(super) async fn commit_answered(
        &self,
        change: Change,
        answer: impl FnOnce() -> Option<Answer>,
        rounds: &mut Rounds,
    ) -> Result<bool, ServiceError> {
        if change.is_empty() {
            return Ok(true);
        }
        settled(self.commit_under_key(change, answer).await, rounds)
    }

    /// As [`Service::commit`], of what is not yet what a request asks for: it does not make it done.
    pub(super) async fn commit_aside(
        &self,
        change: Change,
        rounds: &mut Rounds,
    ) -> Result<bool, ServiceError> {
        settled(self.store().commit(change).await, rounds)
    }
}

fn settled(committed: Result<Committed, StoreError>, rounds: &mut Rounds) -> Result<bool, ServiceError> {
    match committed {
        Ok(_) => Ok(true),
        Err(StoreError::Violated(violation)) => meaning(&violation).map_or(Ok(()), Err).and_then(|()| {
            rounds.0 += 1;
            if rounds.0 < ROUNDS { Ok(false) } else { Err(contention()) }
        }),
        Err(error) => Err(error.into()),
    }
}

/// What a violation means whatever was asked for; `None` where only a new decision can tell.
fn meaning(violation: &Violation) -> Option<ServiceError> {
    match violation {
        Violation::CustomerAbsent => Some(ServiceError::not_found(Noun::Customer)),
        Violation::CustomerInactive(lifecycle) => writable(*lifecycle).err(),
        Violation::OrgQuota(limit) => Some(ServiceError::QuotaExceeded { of: Noun::Org, limit: *limit }),
        Violation::SpaceQuota(limit) => Some(ServiceError::QuotaExceeded { of: Noun::Space, limit: *limit }),
        Violation::IdempotencyUsed | Violation::IdempotencyLost => Some(ServiceError::conflict(
            ConflictCode::IdempotencyKeyInUse,
            "another request with this idempotency key is done meanwhile: try again shortly",
        )),
        Violation::QuotaAboveOrg => Some(ServiceError::conflict(
            ConflictCode::QuotaAboveOrg,
            "a space's quota can't be above its org's: raise the org's or lower the space's first",
        )),
        Violation::PaymentAccountUsed(org) => Some(ServiceError::conflict(
            ConflictCode::PaymentAccountUsed,
            format!("the org {org} is billed to this payment account: give it another one first"),
        )),
        Violation::WebhooksAt(most) => Some(ServiceError::conflict(
            ConflictCode::TooManyWebhooks,
            format!("no more than {most} webhooks can be made: delete one first"),
        )),
        _ => None,
    }
}

fn contention() -> ServiceError {
    let message = "others keep changing the same thing: try again";
    ServiceError::conflict(ConflictCode::Contention, message)
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

/// Whether a customer that stands there can change anything.
pub(super) fn writable(lifecycle: Lifecycle) -> Result<(), ServiceError> {
    match lifecycle {
        Lifecycle::Active => Ok(()),
        Lifecycle::Suspended => Err(ServiceError::CustomerSuspended),
        Lifecycle::ToBeRemoved { .. } => Err(ServiceError::CustomerToBeRemoved),
        Lifecycle::Purged => Err(ServiceError::not_found(Noun::Customer)),
    }
}

/// Whether the actor may do it; what it may not see is not there.
pub(super) fn may(actor: &Actor, action: Action, scope: Scope<'_>, what: Noun) -> Result<(), ServiceError> {
    match decide(actor, action, scope) {
        Access::Allowed => Ok(()),
        Access::Hidden => Err(ServiceError::not_found(what)),
        Access::Forbidden => Err(ServiceError::Forbidden { why: why(actor, action) }),
    }
}

fn why(actor: &Actor, action: Action) -> &'static str {
    let on_a_site = matches!(action, Action::SiteCreate | Action::SiteUpdate | Action::SiteDelete);
    match actor {
        Actor::Customer(_) if on_a_site => {
            "a customer's own identity manages orgs, spaces and users only: use a user's key for sites"
        }
        Actor::Customer(_) => "only the operator may do this",
        Actor::User { .. } | Actor::Operator => "none of your roles allows this here",
    }
}

/// Who an actor is in the events.
pub(super) fn who(actor: &Actor) -> Who {
    match actor {
        Actor::Operator => Who::Operator,
        Actor::Customer(cid) => Who::Customer(cid.clone()),
        Actor::User { id, .. } => Who::User(*id),
    }
}

pub(super) fn of_customer(customer: &Customer, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    NewEvent {
        cid: Some(customer.cid.clone()),
        org: None,
        space: None,
        who,
        kind,
        subject: Subject::Customer(customer.cid.clone()),
        detail,
    }
}

pub(super) fn of_org(org: &Org, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    NewEvent {
        cid: Some(org.cid.clone()),
        org: Some(org.id),
        space: None,
        who,
        kind,
        subject: Subject::Org(org.id),
        detail,
    }
}

pub(super) fn of_space(space: &Space, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    NewEvent {
        cid: Some(space.cid.clone()),
        org: Some(space.org),
        space: Some(space.id),
        who,
        kind,
        subject: Subject::Space(space.id),
        detail,
    }
}

pub(super) fn of_user(user: &User, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    NewEvent {
        cid: Some(user.cid.clone()),
        org: None,
        space: None,
        who,
        kind,
        subject: Subject::User(user.id),
        detail,
    }
}

pub(super) fn of_site(site: &Site, who: Who, kind: EventKind, detail: Value) -> NewEvent {
    NewEvent {
        cid: Some(site.cid.clone()),
        org: Some(site.org),
        space: Some(site.space),
        who,
        kind,
        subject: Subject::Site(site.id),
        detail,
    }
}
