//! Customers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::{Customer, CustomerPlan, Lifecycle, Payment, Version};
use wpaas_core::name::{Cid, Email, Username};

/// A customer.
#[derive(Debug, Serialize)]
pub struct CustomerView {
    /// Its id.
    pub cid: Cid,
    /// As people write it.
    pub name: String,
    /// Where it is reached.
    pub email: Email,
    /// What its own identity signs in with.
    pub username: Username,
    /// Plan and lifecycle in one word.
    pub status: &'static str,
    /// What it has booked.
    pub plan: CustomerPlan,
    /// Where it stands.
    pub lifecycle: Lifecycle,
    /// What the billing system calls it.
    pub payment: PaymentDto,
    /// When it registered.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    pub version: Version,
}

impl From<Customer> for CustomerView {
    fn from(customer: Customer) -> Self {
        let status = customer.status();
        let Customer { cid, name, email, username, plan, lifecycle, payment, created_at, version } = customer;
        let payment = payment.into();
        Self { cid, name, email, username, status, plan, lifecycle, payment, created_at, version }
    }
}

/// What a billing system knows a customer or an org by.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentDto {
    /// The payer's identifier there.
    #[serde(default)]
    pub identifier: Option<String>,
    /// The payment status there.
    #[serde(default)]
    pub status_id: Option<String>,
}

impl From<Payment> for PaymentDto {
    fn from(Payment { identifier, status_id }: Payment) -> Self {
        Self { identifier, status_id }
    }
}

impl From<PaymentDto> for Payment {
    fn from(PaymentDto { identifier, status_id }: PaymentDto) -> Self {
        Self { identifier, status_id }
    }
}
