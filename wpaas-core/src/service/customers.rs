use crate::account::CustomerPlan;
use crate::name::{Email, Username};
use crate::secret::Secret;
use crate::service::ExternalAccount;

mod cid;
mod lifecycle;
mod read;
mod register;
mod update;

pub(super) use update::replace;

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
    /// The account at an identity provider that is to sign it in.
    pub account: Option<ExternalAccount>,
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
