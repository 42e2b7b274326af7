use jiff::Timestamp;

use super::{IfMatch, IssuedKey, Listed, Page, Service, ServiceError};
use crate::access::Actor;
use crate::account::{RoleGrant, User};
use crate::id::{SpaceId, UserId};
use crate::name::{Cid, Email, Username};
use crate::secret::Secret;

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

impl Service {
    /// Makes a user with a first API key, which is shown this once.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `username_taken`, `CustomerSuspended`, `Invalid`.
    pub async fn create_user(
        &self,
        actor: &Actor,
        new: NewUser,
        now: Timestamp,
    ) -> Result<(User, IssuedKey), ServiceError> {
        todo!()
    }

    /// One user.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn user(&self, actor: &Actor, cid: &Cid, username: &Username) -> Result<User, ServiceError> {
        todo!()
    }

    /// Those of a customer's users that the actor may see.
    ///
    /// # Errors
    ///
    /// `NotFound` for a customer that the actor may not see.
    pub async fn users(
        &self,
        actor: &Actor,
        cid: &Cid,
        page: Page<UserId>,
    ) -> Result<Listed<User, UserId>, ServiceError> {
        todo!()
    }

    /// Changes a user.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `Invalid`.
    pub async fn update_user(
        &self,
        actor: &Actor,
        cid: &Cid,
        username: &Username,
        update: UserUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<User, ServiceError> {
        todo!()
    }

    /// Deletes a user with its password and keys.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`.
    pub async fn delete_user(
        &self,
        actor: &Actor,
        cid: &Cid,
        username: &Username,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        todo!()
    }
}
