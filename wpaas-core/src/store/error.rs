use super::change::{Expect, Record};
use crate::account::{Lifecycle, Version};
use crate::name::{Cid, Slug};
use crate::quota::QuotaExceeded;

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An expectation was not met; nothing was written.
    #[error("what was expected is not so: {0:?}")]
    Violated(Violation),
    /// What is stored can't be understood.
    #[error("a record of the store can't be read: {what}")]
    Corrupt {
        /// Which, and why.
        what: String,
    },
    /// The database was written by a newer version of this program.
    #[error("the database has schema {found}, this program knows {known}: use the program that wrote it")]
    TooNew {
        /// Of the database.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The database could not be reached, read or written.
    #[error("the database can't be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An expectation that was not met, and what is there instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// There is no such customer.
    CustomerAbsent,
    /// The customer is not active.
    CustomerInactive(Lifecycle),
    /// The record is of another version.
    Version {
        /// Which.
        record: Record,
        /// The one that is stored; `None` when the record is gone.
        found: Option<Version>,
    },
    /// The record is not there.
    Absent(Record),
    /// The record is there.
    Present(Record),
    /// The id was given before.
    CidUsed(Cid),
    /// A name or an id is taken; the expectation that says which.
    Taken(Box<Expect>),
    /// Something is inside.
    NotEmpty {
        /// Spaces.
        spaces: u64,
        /// Sites.
        sites: u64,
    },
    /// The org's quota would be passed.
    OrgQuota(QuotaExceeded),
    /// The space's quota would be passed.
    SpaceQuota(QuotaExceeded),
    /// A space's quota would be above its org's.
    QuotaAboveOrg,
    /// The customer has no such payment account.
    PaymentAccountAbsent,
    /// This org references the payment account.
    PaymentAccountUsed(Slug),
    /// There is no such spare, or somebody has taken it.
    SpareNotKept,
    /// There are as many webhooks as this.
    WebhooksAt(u64),
    /// The login was taken, or never begun.
    LoginNotPending,
    /// The idempotency key was used before.
    IdempotencyUsed,
    /// What is kept for the idempotency key is another request's, or nothing is any more.
    IdempotencyLost,
}
