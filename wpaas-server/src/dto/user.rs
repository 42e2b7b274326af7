//! Users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::{OrgRole, RoleGrant, SpaceRole, User, Version};
use wpaas_core::id::{OrgId, SpaceId, UserId};
use wpaas_core::name::{Cid, Email, Username};
use wpaas_core::service::{NewUser, UserUpdate};

use super::key::NewKeyView;
use super::list::{Cursor, Limit};
use super::schema;
use crate::extract::{Object, SecretText};
use crate::problem::Problem;

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UserView {
    /// Its id.
    pub id: UserId,
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub username: Username,
    /// As people write it.
    #[schema(value_type = schema::Line)]
    pub name: String,
    /// Where the user is reached.
    pub email: Email,
    /// Whether its password and keys open anything.
    pub enabled: bool,
    /// The spaces that it has a role in.
    pub spaces: Vec<SpaceId>,
    /// What it may do, and where.
    pub roles: Vec<RoleGrant>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    #[schema(value_type = u64)]
    pub version: Version,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let User { id, cid, username, name, email, enabled, roles, created_at, version } = user;
        let space = |grant: &RoleGrant| match grant {
            RoleGrant::Space { space, .. } => Some(*space),
            RoleGrant::Org { .. } => None,
        };
        let spaces = roles.iter().filter_map(space).collect();
        Self { id, cid, username, name, email, enabled, spaces, roles, created_at, version }
    }
}

/// A new user with its first key, shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NewUserView {
    /// The user.
    #[serde(flatten)]
    pub user: UserView,
    /// Its first key.
    pub api_key: NewKeyView,
}

/// `POST /users`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserDto {
    cid: Option<Cid>,
    #[schema(value_type = schema::Line)]
    name: String,
    username: Option<Username>,
    email: Email,
    #[schema(value_type = Option<schema::Password>)]
    password: Option<SecretText>,
    #[serde(default)]
    #[schema(max_items = 200)]
    spaces: Vec<SpaceId>,
    #[serde(default)]
    #[schema(value_type = Vec<schema::Role>, max_items = 200)]
    roles: Vec<Object<RoleDto>>,
    #[serde(default = "yes")]
    enabled: bool,
}

const fn yes() -> bool {
    true
}

impl NewUserDto {
    /// For the customer that the body names, else that of the caller. Without a user name, the name is it.
    pub fn into_new(self, own: Option<&Cid>) -> Result<NewUser, Problem> {
        let Self { cid, name, username, email, password, spaces, roles, enabled } = self;
        let cid = cid.or_else(|| own.cloned()).ok_or_else(|| Problem::field("cid", "must be given"))?;
        let username = username.map_or_else(|| username_from(&name), Ok)?;
        let password = password.map(|SecretText(secret)| secret);
        let roles = roles.into_iter().map(|Object(role)| role.into()).collect();
        Ok(NewUser { cid, username, name, email, password, enabled, spaces, roles })
    }
}

fn username_from(name: &str) -> Result<Username, Problem> {
    name.parse().map_err(|error| {
        Problem::field(
            "username",
            format!("must be given, since the name can't be the user name: it {error}"),
        )
    })
}

/// `PUT /users/{cid}/{username}` and `PUT /users/{cid}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdateDto {
    /// Must be the path's.
    pub cid: Option<Cid>,
    /// Must be the path's, where that names it.
    pub username: Option<Username>,
    /// As people write it; without `username` and none in the path, the user name.
    #[schema(value_type = Option<schema::Line>)]
    pub name: Option<String>,
    email: Option<Email>,
    #[schema(value_type = Option<schema::Password>)]
    password: Option<SecretText>,
    #[schema(max_items = 200)]
    spaces: Option<Vec<SpaceId>>,
    #[schema(value_type = Option<Vec<schema::Role>>, max_items = 200)]
    roles: Option<Vec<Object<RoleDto>>>,
    enabled: Option<bool>,
}

impl UserUpdateDto {
    /// The user that the body names.
    pub fn take_username(&mut self) -> Result<Username, Problem> {
        if let Some(username) = self.username.take() {
            return Ok(username);
        }
        let name = self.name.take().ok_or_else(|| Problem::field("username", "must be given"))?;
        username_from(&name)
    }
}

impl From<UserUpdateDto> for UserUpdate {
    fn from(dto: UserUpdateDto) -> Self {
        let UserUpdateDto { cid: _, username: _, name, email, password, spaces, roles, enabled } = dto;
        let password = password.map(|SecretText(secret)| secret);
        let roles = roles.map(|roles| roles.into_iter().map(|Object(role)| role.into()).collect());
        Self { name, email, password, enabled, spaces, roles }
    }
}

/// A role at a place; [`schema::Role`] tells the document of it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case", tag = "scope", deny_unknown_fields)]
pub enum RoleDto {
    /// In an org and all its spaces.
    Org {
        /// Where.
        org: OrgId,
        /// What.
        role: OrgRole,
    },
    /// In one space.
    Space {
        /// The space's org.
        org: OrgId,
        /// Where.
        space: SpaceId,
        /// What.
        role: SpaceRole,
    },
}

impl From<RoleDto> for RoleGrant {
    fn from(dto: RoleDto) -> Self {
        match dto {
            RoleDto::Org { org, role } => Self::Org { org, role },
            RoleDto::Space { org, space, role } => Self::Space { org, space, role },
        }
    }
}

/// `GET /users/{cid}?name=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// This user only.
    #[serde(alias = "username")]
    pub name: Option<Username>,
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    pub cursor: Option<Cursor<UserId>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}
