use crate::name::{Cid, Slug};
use crate::quota::Quota;

mod delete;
mod read;
mod write;

pub(super) use delete::{Contents, Deletion};

/// An org to make.
#[derive(Debug, Clone)]
pub struct NewOrg {
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Over all spaces.
    pub quota: Quota,
    /// Spaces to make with it, besides the default one.
    pub spaces: Vec<Slug>,
}

/// What to change of an org; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct OrgUpdate {
    /// For people.
    pub description: Option<String>,
    /// The whole quota.
    pub quota: Option<Quota>,
    /// Another of the customer's payment accounts; `Some(None)` goes back to its own. Only the operator may change it.
    pub payment_account: Option<Option<Slug>>,
}
