//! Customers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::{Customer, CustomerPlan, Lifecycle, Payment, Version};
use wpaas_core::name::{Cid, Email, InvalidName, Slug, Username};
use wpaas_core::secret::Secret;
use wpaas_core::service::{CustomerUpdate, ExternalAccount, NewCustomer, PaymentUpdate, ServiceError};

use super::schema;
use crate::extract::{Nullable, Object, SecretText};
use crate::problem::Problem;

/// A customer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CustomerView {
    /// Its id.
    pub cid: Cid,
    /// As people write it.
    #[schema(value_type = schema::Line)]
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
    /// What its orgs are billed to, unless they reference another.
    pub payment: PaymentDto,
    /// Further payment accounts, which orgs can reference as `payment_account`.
    #[schema(value_type = BTreeMap<String, PaymentDto>)]
    pub payment_accounts: BTreeMap<Slug, PaymentDto>,
    /// When it registered.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    #[schema(value_type = u64)]
    pub version: Version,
}

impl From<Customer> for CustomerView {
    fn from(customer: Customer) -> Self {
        let status = customer.status();
        let Customer { cid, name, email, username, plan, lifecycle, .. } = customer;
        let Customer { payment, payment_accounts, created_at, version, .. } = customer;
        let payment_accounts =
            payment_accounts.into_iter().map(|(name, payment)| (name, payment.into())).collect();
        let payment = payment.into();
        Self {
            cid,
            name,
            email,
            username,
            status,
            plan,
            lifecycle,
            payment,
            payment_accounts,
            created_at,
            version,
        }
    }
}

/// A payment account: what a billing system knows who pays by.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct PaymentDto {
    /// The payer's identifier there.
    #[schema(value_type = Option<schema::Reference>)]
    pub identifier: Option<String>,
    /// The payment status there.
    #[schema(value_type = Option<schema::Reference>)]
    pub status_id: Option<String>,
}

impl From<Payment> for PaymentDto {
    fn from(Payment { identifier, status_id }: Payment) -> Self {
        Self { identifier, status_id }
    }
}

/// `POST /customers`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomerDto {
    #[schema(value_type = schema::Line)]
    name: String,
    email: Email,
    username: Option<Username>,
    #[schema(value_type = Option<schema::Password>)]
    password: Option<SecretText>,
    #[schema(value_type = Option<schema::Ticket>)]
    ticket: Option<SecretText>,
}

impl NewCustomerDto {
    /// Without a user name, the e-mail address is it. `open` finds the account that a ticket was given for.
    pub fn into_new(
        self,
        open: impl FnOnce(&Secret) -> Result<ExternalAccount, ServiceError>,
    ) -> Result<NewCustomer, Problem> {
        let Self { name, email, username, password, ticket } = self;
        let username = match username {
            Some(username) => username,
            None => email.as_str().parse().map_err(|error: InvalidName| {
                Problem::field(
                    "username",
                    format!("must be given, since the e-mail address can't be it: {error}"),
                )
            })?,
        };
        let account = ticket.map(|SecretText(ticket)| open(&ticket)).transpose()?;
        let password = password.map(|SecretText(secret)| secret);
        Ok(NewCustomer { name, email, username, password, account })
    }
}

/// `PUT /customers/{cid}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerUpdateDto {
    /// Must be the path's.
    pub cid: Option<Cid>,
    /// `free` and `paid` are plans, `suspended` is where it stands; `active` ends a suspension.
    status: Option<StatusDto>,
    #[schema(value_type = Option<schema::Line>)]
    name: Option<String>,
    email: Option<Email>,
    #[schema(value_type = Option<schema::Password>)]
    password: Option<SecretText>,
    plan: Option<CustomerPlan>,
    #[serde(default)]
    #[schema(value_type = PaymentUpdateDto)]
    payment: Object<PaymentUpdateDto>,
    /// Further payment accounts, made or changed; `null` takes one away.
    #[serde(default)]
    #[schema(value_type = schema::PaymentAccounts)]
    payment_accounts: BTreeMap<Slug, Option<Object<PaymentUpdateDto>>>,
}

/// What a customer's status can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusDto {
    /// Not suspended, and pays nothing.
    Free,
    /// Not suspended, and pays.
    Paid,
    /// Not suspended.
    Active,
    /// Reads only.
    Suspended,
}

/// What to change of a payment account.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentUpdateDto {
    #[serde(default)]
    #[schema(value_type = Option<schema::Reference>)]
    identifier: Nullable<String>,
    #[serde(default)]
    #[schema(value_type = Option<schema::Reference>)]
    status_id: Nullable<String>,
}

impl From<CustomerUpdateDto> for CustomerUpdate {
    fn from(dto: CustomerUpdateDto) -> Self {
        let CustomerUpdateDto { cid: _, status, name, email, password, plan, payment, payment_accounts } =
            dto;
        let account = |update: Option<Object<PaymentUpdateDto>>| update.map(|Object(update)| update.into());
        let named = match status {
            Some(StatusDto::Free) => Some(CustomerPlan::Free),
            Some(StatusDto::Paid) => Some(CustomerPlan::Paid),
            Some(StatusDto::Active | StatusDto::Suspended) | None => None,
        };
        Self {
            name,
            email,
            password: password.map(|SecretText(secret)| secret),
            plan: plan.or(named),
            payment: payment.0.into(),
            suspended: status.map(|status| status == StatusDto::Suspended),
            payment_accounts: payment_accounts
                .into_iter()
                .map(|(name, update)| (name, account(update)))
                .collect(),
        }
    }
}

impl From<PaymentUpdateDto> for PaymentUpdate {
    fn from(PaymentUpdateDto { identifier, status_id }: PaymentUpdateDto) -> Self {
        Self {
            identifier: identifier.into_change(|text| text),
            status_id: status_id.into_change(|text| text),
        }
    }
}
