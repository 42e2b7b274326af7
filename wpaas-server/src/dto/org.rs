//! Orgs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::{Org, Version};
use wpaas_core::id::OrgId;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;
use wpaas_core::service::{NewOrg, OrgUpdate};

use super::list::{Cursor, Limit};
use super::schema;
use crate::extract::{Nullable, Object};

/// An org.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OrgView {
    /// Its id.
    pub id: OrgId,
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub name: Slug,
    /// For people.
    #[schema(value_type = schema::Description)]
    pub description: String,
    /// Over all spaces.
    pub quota: Quota,
    /// Which of the customer's `payment_accounts` it is billed to; the customer's own `payment` when null.
    pub payment_account: Option<Slug>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    #[schema(value_type = u64)]
    pub version: Version,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        let Org { id, cid, name, description, quota, payment_account, created_at, version } = org;
        Self { id, cid, name, description, quota, payment_account, created_at, version }
    }
}

/// `POST /orgs`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrgDto {
    cid: Option<Cid>,
    name: Slug,
    #[serde(default)]
    #[schema(value_type = schema::Description)]
    description: String,
    #[serde(default, alias = "quotas")]
    #[schema(value_type = Quota)]
    quota: Object<Quota>,
    #[serde(default)]
    #[schema(max_items = 100)]
    spaces: Vec<Slug>,
}

impl NewOrgDto {
    /// For the customer that the body names, else that of the caller.
    pub fn into_new(self, own: Option<&Cid>) -> Option<NewOrg> {
        let Self { cid, name, description, quota: Object(quota), spaces } = self;
        let cid = cid.or_else(|| own.cloned())?;
        Some(NewOrg { cid, name, description, quota, spaces })
    }
}

/// `PUT /orgs/{cid}/{org}` and `PUT /orgs`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgUpdateDto {
    /// Must be the path's, where that names it.
    pub cid: Option<Cid>,
    /// Must be the path's, where that names it.
    pub name: Option<Slug>,
    #[schema(value_type = Option<schema::Description>)]
    description: Option<String>,
    #[serde(alias = "quotas")]
    #[schema(value_type = Option<Quota>)]
    quota: Option<Object<Quota>>,
    /// One of the customer's `payment_accounts`; null goes back to its own `payment`.
    #[serde(default)]
    #[schema(value_type = Option<Slug>)]
    payment_account: Nullable<Slug>,
}

impl From<OrgUpdateDto> for OrgUpdate {
    fn from(dto: OrgUpdateDto) -> Self {
        let OrgUpdateDto { cid: _, name: _, description, quota, payment_account } = dto;
        let quota = quota.map(|Object(quota)| quota);
        Self { description, quota, payment_account: payment_account.into_change(|account| account) }
    }
}

/// `GET /orgs?cid=&name=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OrgQuery {
    /// Whose; the caller's own without.
    pub cid: Option<Cid>,
    /// This one only.
    pub name: Option<Slug>,
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    pub cursor: Option<Cursor<OrgId>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}
