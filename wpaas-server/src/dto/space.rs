//! Spaces.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use wpaas_core::account::{Space, Version};
use wpaas_core::defaults;
use wpaas_core::id::{OrgId, SpaceId};
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;
use wpaas_core::service::{NewSpace, Recursion, SpaceUpdate};

use super::list::{Cursor, Limit};
use super::schema;
use crate::extract::Object;

/// A space.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SpaceView {
    /// Its id.
    pub id: SpaceId,
    /// Whose.
    pub cid: Cid,
    /// In which org.
    pub org_id: OrgId,
    /// Unique in the org.
    pub name: Slug,
    /// For people.
    #[schema(value_type = schema::Description)]
    pub description: String,
    /// Never above the org's.
    pub quota: Quota,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    #[schema(value_type = u64)]
    pub version: Version,
}

impl From<Space> for SpaceView {
    fn from(space: Space) -> Self {
        let Space { id, cid, org, name, description, quota, created_at, version } = space;
        Self { id, cid, org_id: org, name, description, quota, created_at, version }
    }
}

/// `POST /spaces`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSpaceDto {
    #[serde(alias = "orgID", alias = "org")]
    org_id: OrgId,
    name: Slug,
    #[serde(default)]
    #[schema(value_type = schema::Description)]
    description: String,
    #[serde(default, alias = "quotas")]
    #[schema(value_type = Quota)]
    quota: Object<Quota>,
}

impl From<NewSpaceDto> for NewSpace {
    fn from(NewSpaceDto { org_id, name, description, quota: Object(quota) }: NewSpaceDto) -> Self {
        Self { org: org_id, name, description, quota }
    }
}

/// `PUT /spaces/{org_id}/{space}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceUpdateDto {
    /// Must be the path's.
    #[serde(alias = "orgID", alias = "org")]
    pub org_id: Option<OrgId>,
    /// Must be the path's.
    pub name: Option<Slug>,
    #[schema(value_type = Option<schema::Description>)]
    description: Option<String>,
    #[serde(alias = "quotas")]
    #[schema(value_type = Option<Quota>)]
    quota: Option<Object<Quota>>,
}

impl From<SpaceUpdateDto> for SpaceUpdate {
    fn from(dto: SpaceUpdateDto) -> Self {
        let SpaceUpdateDto { org_id: _, name: _, description, quota } = dto;
        Self { description, quota: quota.map(|Object(quota)| quota) }
    }
}

/// `GET /spaces?cid=&org_id=&name=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SpaceQuery {
    /// Whose; the caller's own without.
    pub cid: Option<Cid>,
    /// In this org only.
    #[serde(alias = "orgID", alias = "org")]
    pub org_id: Option<OrgId>,
    /// This one only.
    pub name: Option<Slug>,
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    pub cursor: Option<Cursor<SpaceId>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}

/// `?recursive=true`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RecursiveQuery {
    #[serde(default)]
    recursive: bool,
}

impl From<RecursiveQuery> for Recursion {
    fn from(RecursiveQuery { recursive }: RecursiveQuery) -> Self {
        if recursive { Self::Recursive } else { Self::OnlyEmpty }
    }
}

/// The one path slot that takes either an org's id or, for its default org, a customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgOrCustomer {
    /// This org.
    Org(OrgId),
    /// This customer.
    Customer(Cid),
}

impl OrgOrCustomer {
    /// The org that is meant where only one can be.
    pub fn org(&self) -> OrgId {
        match self {
            Self::Org(id) => *id,
            Self::Customer(cid) => defaults::org_id(cid),
        }
    }
}

impl<'de> Deserialize<'de> for OrgOrCustomer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let org = text.parse().map(Self::Org);
        org.or_else(|_| text.parse().map(Self::Customer)).map_err(serde::de::Error::custom)
    }
}
