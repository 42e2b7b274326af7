use std::collections::BTreeMap;

use crate::account::CustomerPlan;
use crate::name::{Email, Slug, Username};
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
    /// Of its own payment account. Only the operator may change it.
    pub payment: PaymentUpdate,
    /// Whether it only reads; see [`Service::suspend_customer`](super::Service::suspend_customer). Only the operator may
    /// change it.
    pub suspended: Option<bool>,
    /// Of further payment accounts, which are made so, too; `None` takes one away. Only the operator may change them.
    pub payment_accounts: BTreeMap<Slug, Option<PaymentUpdate>>,
}

/// What to change of a payment account; `None` leaves it, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentUpdate {
    /// The payer's identifier in the billing system.
    pub identifier: Option<Option<String>>,
    /// The payment status there.
    pub status_id: Option<Option<String>>,
}
