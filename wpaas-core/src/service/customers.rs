use jiff::Timestamp;

use super::{Grace, IfMatch, Listed, Page, Service, ServiceError};
use crate::access::Actor;
use crate::account::{Customer, CustomerPlan};
use crate::name::{Cid, Email, Username};
use crate::secret::Secret;

/// A customer to register.
#[derive(Debug, Clone)]
pub struct NewCustomer {
    /// As people write it; the id is made from it.
    pub name: String,
    /// Where the customer is reached.
    pub email: Email,
    /// What it signs in with; unique over all customers.
    pub username: Username,
    /// `None` for a customer that signs in with an API key or through another party.
    pub password: Option<Secret>,
}

/// What to change of a customer; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct CustomerUpdate {
    /// As people write it.
    pub name: Option<String>,
    /// Where the customer is reached.
    pub email: Option<Email>,
    /// A new password.
    pub password: Option<Secret>,
    /// Only the operator may change it.
    pub plan: Option<CustomerPlan>,
    /// What the billing system calls the payer; `Some(None)` clears it. Only the operator may change it.
    pub payment_identifier: Option<Option<String>>,
    /// The payment status in the billing system; `Some(None)` clears it. Only the operator may change it.
    pub payment_status_id: Option<Option<String>>,
}

impl Service {
    /// Registers a customer and gives it an id that was never used before.
    ///
    /// # Errors
    ///
    /// `Forbidden` when registration is closed and the actor is not the operator; `username_taken`; `Invalid`.
    pub async fn register_customer(
        &self,
        actor: Option<&Actor>,
        new: NewCustomer,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        todo!()
    }

    /// One customer.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn customer(&self, actor: &Actor, cid: &Cid) -> Result<Customer, ServiceError> {
        todo!()
    }

    /// All customers in the order of their ids; only for the operator.
    ///
    /// # Errors
    ///
    /// `Forbidden`.
    pub async fn customers(
        &self,
        actor: &Actor,
        page: Page<Cid>,
    ) -> Result<Listed<Customer, Cid>, ServiceError> {
        todo!()
    }

    /// Changes a customer.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `Invalid`.
    pub async fn update_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        update: CustomerUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Customer, ServiceError> {
        todo!()
    }

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
        todo!()
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
        todo!()
    }

    /// Marks a customer as to be removed; all of it goes when the grace is over. Asking again changes nothing.
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
        todo!()
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
        todo!()
    }
}
