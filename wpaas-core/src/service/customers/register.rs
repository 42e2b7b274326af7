use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::{NewCustomer, cid};
use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, CustomerPlan, Identity, Lifecycle, Payment};
use crate::credential::CredentialError;
use crate::name::Cid;
use crate::secret::Secret;
use crate::service::commit::{Rounds, may, of_customer, who};
use crate::service::logins::linking;
use crate::service::text::check_name;
use crate::service::{ConflictCode, Noun, Registration, Service, ServiceError};
use crate::store::{Change, EventKind, Who, Write};

impl Service {
    /// Registers a customer and gives it an id that was never used before.
    ///
    /// # Errors
    ///
    /// `Forbidden` when registration is closed and the actor is not the operator; `username_taken`; `login_taken`;
    /// `Invalid`.
    pub async fn register_customer(
        &self,
        actor: Option<&Actor>,
        new: NewCustomer,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        self.may_register(actor)?;
        check_name(&new.name)?;
        let hash = self.hash_password(new.password.as_ref()).await?;
        let who = actor.map_or(Who::Anonymous, who);
        let mut rounds = Rounds::default();
        loop {
            let taken = self.store().cids_beginning(&cid::prefix(&new.name)).await?;
            let same_login = self.store().customer_by_username(&new.username).await?;
            let customer = decide_register(&new, &taken, same_login.as_ref(), now)?;
            let identity = Identity::Customer(customer.cid.clone());
            let event = of_customer(&customer, who.clone(), EventKind::CustomerRegistered, json!({}));
            let mut change = Change::at(now).write(Write::InsertCustomer(customer.clone())).event(event);
            if let Some(account) = &new.account {
                self.check_unlinked(account).await?;
                change = linking(change, account, &identity, who.clone());
            }
            if let Some(hash) = &hash {
                change = change.write(Write::SetPassword(identity, hash.clone()));
            }
            if self.commit(change, &mut rounds).await? {
                return Ok(customer);
            }
        }
    }

    fn may_register(&self, actor: Option<&Actor>) -> Result<(), ServiceError> {
        match (self.settings().registration, actor) {
            (Registration::Open, _) => Ok(()),
            (Registration::Closed, Some(actor)) => {
                may(actor, Action::CustomerRegister, Scope::System, Noun::Customer)
            }
            (Registration::Closed, None) => {
                Err(ServiceError::Forbidden { why: "only the operator registers customers here" })
            }
        }
    }

    /// The hash of a person's password.
    pub(in crate::service) async fn hash_password(
        &self,
        password: Option<&Secret>,
    ) -> Result<Option<String>, ServiceError> {
        let Some(password) = password else { return Ok(None) };
        match self.inner.passwords.hash(password).await {
            Ok(hash) => Ok(Some(hash)),
            Err(CredentialError::Unfit(why)) => Err(ServiceError::invalid("password", why)),
            Err(error) => Err(ServiceError::Credential(error)),
        }
    }
}

fn decide_register(
    new: &NewCustomer,
    taken: &[Cid],
    same_login: Option<&Customer>,
    now: Timestamp,
) -> Result<Customer, ServiceError> {
    if same_login.is_some() {
        let message = "another customer signs in with that user name: choose another";
        return Err(ServiceError::conflict(ConflictCode::UsernameTaken, message));
    }
    let cid = cid::choose(&new.name, taken)
        .ok_or_else(|| ServiceError::invalid("name", "gives no free customer id: change it a little"))?;
    Ok(Customer {
        cid,
        name: new.name.clone(),
        email: new.email.clone(),
        username: new.username.clone(),
        plan: CustomerPlan::Free,
        lifecycle: Lifecycle::Active,
        payment: Payment::default(),
        payment_accounts: BTreeMap::new(),
        created_at: now,
        version: 1,
    })
}
