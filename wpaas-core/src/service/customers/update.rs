use jiff::Timestamp;
use serde_json::json;

use super::lifecycle::decide_standing;
use super::{CustomerUpdate, PaymentUpdate};
use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, Identity, Payment};
use crate::name::{Cid, Slug};
use crate::service::commit::{Rounds, may, of_customer, who, writable};
use crate::service::text::{check_name, check_reference};
use crate::service::{IfMatch, Noun, Service, ServiceError};
use crate::store::{Change, EventKind, Expect, Write};

/// Further payment accounts of one customer.
const MOST_ACCOUNTS: usize = 100;

impl Service {
    /// Changes a customer. The operator may also change one that is suspended, and suspend or resume it by the way.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `wrong_lifecycle`, `payment_account_used`,
    /// `Invalid`.
    pub async fn update_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        update: CustomerUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        may(actor, Action::CustomerUpdate, Scope::Customer(cid), Noun::Customer)?;
        if update.is_billing() {
            may(actor, Action::CustomerBilling, Scope::Customer(cid), Noun::Customer)?;
        }
        if update.suspended.is_some() {
            may(actor, Action::CustomerSuspend, Scope::Customer(cid), Noun::Customer)?;
        }
        let hash = self.hash_password(update.password.as_ref()).await?;
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, cid).await?;
            let (mut after, changed) = decide_update(actor, &customer, &update, if_match)?;
            let moved = decide_standing(&customer, update.suspended)?;
            if changed.is_empty() && moved.is_none() {
                return Ok(customer);
            }
            let told = |kind, detail| of_customer(&customer, who(actor), kind, detail);
            let mut change = Change::at(now);
            if let Some((lifecycle, kind, detail)) = moved {
                after.lifecycle = lifecycle;
                change = change.event(told(kind, detail));
            }
            if !changed.is_empty() {
                change = change.event(told(EventKind::CustomerUpdated, json!({ "changed": changed })));
            }
            change = change.write(Write::UpdateCustomer(after.clone()));
            change.expect.extend(
                taken_away(&customer, &after).map(|name| Expect::PaymentAccountUnused(cid.clone(), name)),
            );
            if let Some(hash) = &hash {
                let identity = Identity::Customer(cid.clone());
                // Whoever knew the old one is out.
                change = change
                    .write(Write::SetPassword(identity.clone(), hash.clone()))
                    .write(Write::DeleteSessions(identity));
            }
            if self.commit(change, &mut rounds).await? {
                return Ok(after);
            }
        }
    }
}

impl CustomerUpdate {
    /// Whether it touches what only the operator may change.
    fn is_billing(&self) -> bool {
        self.plan.is_some() || self.payment != PaymentUpdate::default() || !self.payment_accounts.is_empty()
    }
}

fn decide_update(
    actor: &Actor,
    customer: &Customer,
    update: &CustomerUpdate,
    if_match: IfMatch,
) -> Result<(Customer, Vec<&'static str>), ServiceError> {
    if_match.check(customer.version)?;
    if *actor != Actor::Operator {
        writable(customer.lifecycle)?;
    }
    let CustomerUpdate { name, email, password, plan, payment, suspended: _, payment_accounts } = update;
    let mut after = customer.clone();
    let mut changed = Vec::new();
    if let Some(name) = name {
        check_name(name)?;
    }
    replace(&mut after.name, name.as_ref(), "name", &mut changed);
    replace(&mut after.email, email.as_ref(), "email", &mut changed);
    replace(&mut after.plan, plan.as_ref(), "plan", &mut changed);
    apply_payment(&mut after.payment, payment, "payment")?;
    for (name, update) in payment_accounts {
        match update {
            Some(update) => {
                apply_payment(
                    after.payment_accounts.entry(name.clone()).or_default(),
                    update,
                    "payment_accounts",
                )?;
            }
            None => drop(after.payment_accounts.remove(name)),
        }
    }
    if after.payment_accounts.len() > MOST_ACCOUNTS {
        return Err(ServiceError::invalid("payment_accounts", format!("must be {MOST_ACCOUNTS} or fewer")));
    }
    if after.payment != customer.payment {
        changed.push("payment");
    }
    if after.payment_accounts != customer.payment_accounts {
        changed.push("payment_accounts");
    }
    if password.is_some() {
        changed.push("password");
    }
    after.version += 1;
    Ok((after, changed))
}

fn apply_payment(
    payment: &mut Payment,
    update: &PaymentUpdate,
    field: &'static str,
) -> Result<(), ServiceError> {
    let PaymentUpdate { identifier, status_id } = update;
    for (part, to) in [(&mut payment.identifier, identifier), (&mut payment.status_id, status_id)] {
        if let Some(to) = to {
            check_reference(field, to.as_deref())?;
            part.clone_from(to);
        }
    }
    Ok(())
}

/// The payment accounts that no org may reference any more.
fn taken_away(before: &Customer, after: &Customer) -> impl Iterator<Item = Slug> {
    before.payment_accounts.keys().filter(|name| !after.payment_accounts.contains_key(*name)).cloned()
}

/// Sets a field if another value is given, and notes that.
pub(in crate::service) fn replace<T: PartialEq + Clone>(
    field: &mut T,
    to: Option<&T>,
    name: &'static str,
    changed: &mut Vec<&'static str>,
) {
    if let Some(to) = to
        && field != to
    {
        field.clone_from(to);
        changed.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{CustomerPlan, Lifecycle};
    use crate::service::test::{cid, customer};

    #[test]
    fn a_suspended_customer_is_changed_by_the_operator_only() {
        let update = CustomerUpdate { plan: Some(CustomerPlan::Paid), ..CustomerUpdate::default() };
        let before = customer(Lifecycle::Suspended);
        let (after, changed) = decide_update(&Actor::Operator, &before, &update, IfMatch::Any).unwrap();
        assert_eq!((after.plan, after.version, changed), (CustomerPlan::Paid, 2, vec!["plan"]));
        let refused = decide_update(&Actor::Customer(cid()), &before, &update, IfMatch::Any).unwrap_err();
        assert_eq!(refused.code(), "customer_suspended");
    }

    #[test]
    fn another_version_and_an_unfit_name_are_refused() {
        let before = customer(Lifecycle::Active);
        let named = |name: &str| CustomerUpdate { name: Some(name.to_owned()), ..CustomerUpdate::default() };
        let decide = |update, if_match| decide_update(&Actor::Operator, &before, &update, if_match);
        assert_eq!(decide(named("B"), IfMatch::Version(2)).unwrap_err().code(), "version_mismatch");
        assert_eq!(decide(named(" "), IfMatch::Version(1)).unwrap_err().code(), "invalid");
        let long = Some(Some("x".repeat(201)));
        let payment = PaymentUpdate { identifier: long, status_id: None };
        let long = CustomerUpdate { payment, ..CustomerUpdate::default() };
        assert_eq!(decide(long, IfMatch::Any).unwrap_err().code(), "invalid");
        assert_eq!(decide(named("Acme"), IfMatch::Any).unwrap().1, Vec::<&str>::new());
    }
}
