use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, Lifecycle};
use crate::name::Cid;
use crate::service::commit::{Rounds, may, of_customer, who, writable};
use crate::service::{ConflictCode, Grace, IfMatch, Noun, Service, ServiceError};
use crate::store::{Change, EventKind, Write};

/// Another lifecycle with what is told of it; `None` when it is as wanted already.
type Decision = Result<Option<(Lifecycle, EventKind, Value)>, ServiceError>;

impl Service {
    /// Suspends a customer: it can only read, its sites rest with their data kept. Only for the operator.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `wrong_lifecycle`.
    pub async fn suspend_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        self.move_customer(actor, Action::CustomerSuspend, cid, now, decide_suspend).await
    }

    /// Ends a suspension: everything comes back as it was. Only for the operator.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `wrong_lifecycle`.
    pub async fn resume_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        self.move_customer(actor, Action::CustomerSuspend, cid, now, decide_resume).await
    }

    /// Marks a customer as to be removed; all of it goes when the grace is over. Asking again can only shorten
    /// the grace.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`.
    pub async fn delete_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        grace: Grace,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        let end = grace.end(now, self.settings().customer_grace, self.settings().max_grace)?;
        let decide = |customer: &Customer| {
            if_match.check(customer.version)?;
            decide_delete(actor, customer, end)
        };
        self.move_customer(actor, Action::CustomerDelete, cid, now, decide).await
    }

    /// Takes a customer's deletion back, while its grace lasts.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `not_in_deletion`.
    pub async fn cancel_customer_deletion(
        &self,
        actor: &Actor,
        cid: &Cid,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        let decide = |customer: &Customer| decide_cancel(customer, now);
        self.move_customer(actor, Action::CustomerDelete, cid, now, decide).await
    }

    async fn move_customer(
        &self,
        actor: &Actor,
        action: Action,
        cid: &Cid,
        now: Timestamp,
        decide: impl Fn(&Customer) -> Decision + Send,
    ) -> Result<Customer, ServiceError> {
        may(actor, action, Scope::Customer(cid), Noun::Customer)?;
        let mut rounds = Rounds::default();
        loop {
            let mut customer = self.visible_customer(actor, cid).await?;
            let Some((lifecycle, kind, detail)) = decide(&customer)? else { return Ok(customer) };
            customer.lifecycle = lifecycle;
            customer.version += 1;
            let event = of_customer(&customer, who(actor), kind, detail);
            let change = Change::at(now).write(Write::UpdateCustomer(customer.clone())).event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(customer);
            }
        }
    }
}

fn wrong(customer: &Customer) -> ServiceError {
    let message = format!("the customer is {}, which does not allow this", customer.status());
    ServiceError::conflict(ConflictCode::WrongLifecycle, message)
}

fn decide_suspend(customer: &Customer) -> Decision {
    match customer.lifecycle {
        Lifecycle::Active => Ok(Some((Lifecycle::Suspended, EventKind::CustomerSuspended, json!({})))),
        Lifecycle::Suspended => Ok(None),
        Lifecycle::ToBeRemoved { .. } | Lifecycle::Purged => Err(wrong(customer)),
    }
}

fn decide_resume(customer: &Customer) -> Decision {
    match customer.lifecycle {
        Lifecycle::Active => Ok(None),
        Lifecycle::Suspended => Ok(Some((Lifecycle::Active, EventKind::CustomerResumed, json!({})))),
        Lifecycle::ToBeRemoved { .. } | Lifecycle::Purged => Err(wrong(customer)),
    }
}

/// What an update asks of it: suspended or not. One that is to be removed is not suspended.
pub(super) fn decide_standing(customer: &Customer, suspended: Option<bool>) -> Decision {
    match suspended {
        Some(true) => decide_suspend(customer),
        Some(false) if customer.lifecycle == Lifecycle::Suspended => decide_resume(customer),
        Some(false) | None => Ok(None),
    }
}

fn decide_delete(actor: &Actor, customer: &Customer, purge_after: Timestamp) -> Decision {
    let was_suspended = match customer.lifecycle {
        Lifecycle::Suspended if *actor == Actor::Operator => true,
        Lifecycle::ToBeRemoved { purge_after: before, .. } if before <= purge_after => return Ok(None),
        Lifecycle::ToBeRemoved { was_suspended, .. } => was_suspended,
        other => {
            writable(other)?;
            false
        }
    };
    let lifecycle = Lifecycle::ToBeRemoved { purge_after, was_suspended };
    let detail = json!({ "purge_after": purge_after });
    Ok(Some((lifecycle, EventKind::CustomerDeletionRequested, detail)))
}

fn decide_cancel(customer: &Customer, now: Timestamp) -> Decision {
    let not = |why| Err(ServiceError::conflict(ConflictCode::NotInDeletion, why));
    match customer.lifecycle {
        Lifecycle::ToBeRemoved { purge_after, .. } if purge_after <= now => {
            not("the grace is over: the customer's data is going away")
        }
        Lifecycle::ToBeRemoved { was_suspended, .. } => {
            let lifecycle = if was_suspended { Lifecycle::Suspended } else { Lifecycle::Active };
            Ok(Some((lifecycle, EventKind::CustomerDeletionCancelled, json!({}))))
        }
        Lifecycle::Active | Lifecycle::Suspended | Lifecycle::Purged => {
            not("the customer is not to be removed, so there is nothing to cancel")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::test::{NOW, cid, customer};

    fn later(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW.as_second() + seconds).unwrap()
    }

    /// The lifecycle that a decision leads to, `same`, or the error's code.
    fn told(decision: Decision) -> String {
        match decision {
            Ok(Some((lifecycle, ..))) => format!("{lifecycle:?}"),
            Ok(None) => "same".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn suspending_and_resuming() {
        let removed = Lifecycle::ToBeRemoved { purge_after: later(60), was_suspended: false };
        let cases = [
            (Lifecycle::Active, "Suspended", "same"),
            (Lifecycle::Suspended, "same", "Active"),
            (removed, "wrong_lifecycle", "wrong_lifecycle"),
            (Lifecycle::Purged, "wrong_lifecycle", "wrong_lifecycle"),
        ];
        for (from, suspended, resumed) in cases {
            assert_eq!(told(decide_suspend(&customer(from))), suspended, "{from:?}");
            assert_eq!(told(decide_resume(&customer(from))), resumed, "{from:?}");
        }
    }

    #[test]
    fn deleting_and_cancelling() {
        let own = Actor::Customer(cid());
        let delete =
            |actor: &Actor, from, seconds| told(decide_delete(actor, &customer(from), later(seconds)));
        let removed =
            |seconds, was_suspended| Lifecycle::ToBeRemoved { purge_after: later(seconds), was_suspended };
        assert_eq!(delete(&own, Lifecycle::Active, 60), format!("{:?}", removed(60, false)));
        assert_eq!(delete(&own, Lifecycle::Suspended, 60), "customer_suspended");
        assert_eq!(delete(&Actor::Operator, Lifecycle::Suspended, 60), format!("{:?}", removed(60, true)));
        assert_eq!(delete(&own, removed(60, false), 90), "same");
        assert_eq!(delete(&own, removed(60, true), 0), format!("{:?}", removed(0, true)));
        assert_eq!(delete(&own, Lifecycle::Purged, 60), "not_found");

        let cancel = |from| told(decide_cancel(&customer(from), NOW));
        assert_eq!(cancel(removed(1, false)), "Active");
        assert_eq!(cancel(removed(1, true)), "Suspended");
        assert_eq!(cancel(removed(0, false)), "not_in_deletion");
        assert_eq!(cancel(Lifecycle::Active), "not_in_deletion");
    }
}
