use crate::account::RoleGrant;
use crate::id::SpaceId;
use crate::name::{Cid, Email, Username};
use crate::secret::Secret;

mod create;
mod read;
mod roles;
mod update;

/// A user to make.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub username: Username,
    /// As people write it.
    pub name: String,
    /// Where the user is reached.
    pub email: Email,
    /// `None` for one that signs in with API keys only.
    pub password: Option<Secret>,
    /// Whether its password and keys open anything.
    pub enabled: bool,
    /// Gives the role developer on each.
    pub spaces: Vec<SpaceId>,
    /// Roles by name.
    pub roles: Vec<RoleGrant>,
}

/// What to change of a user; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct UserUpdate {
    /// As people write it.
    pub name: Option<String>,
    /// Where the user is reached.
    pub email: Option<Email>,
    /// A new password.
    pub password: Option<Secret>,
    /// Whether its password and keys open anything.
    pub enabled: Option<bool>,
    /// Replaces the spaces on which it is a developer.
    pub spaces: Option<Vec<SpaceId>>,
    /// Replaces all roles; `spaces` is added to them.
    pub roles: Option<Vec<RoleGrant>>,
}
