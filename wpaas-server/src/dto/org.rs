//! Orgs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::{Org, Version};
use wpaas_core::id::OrgId;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;
use wpaas_core::service::{NewOrg, OrgUpdate};

use super::customer::PaymentDto;
use super::list::{Cursor, Limit};
use crate::extract::{Nullable, Object};

/// An org.
#[derive(Debug, Serialize)]
pub struct OrgView {
    /// Its id.
    pub id: OrgId,
    /// Whose.
    pub cid: Cid,
    /// Unique in the customer.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Over all spaces.
    pub quota: Quota,
    /// A payment account of its own; the customer's when null.
    pub payment: Option<PaymentDto>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    pub version: Version,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        let Org { id, cid, name, description, quota, payment, created_at, version } = org;
        let payment = payment.map(Into::into);
        Self { id, cid, name, description, quota, payment, created_at, version }
    }
}

/// `POST /orgs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrgDto {
    cid: Option<Cid>,
    name: Slug,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "quotas")]
    quota: Object<Quota>,
    #[serde(default)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgUpdateDto {
    /// Must be the path's, where that names it.
    pub cid: Option<Cid>,
    /// Must be the path's, where that names it.
    pub name: Option<Slug>,
    description: Option<String>,
    #[serde(alias = "quotas")]
    quota: Option<Object<Quota>>,
    #[serde(default)]
    payment: Nullable<Object<PaymentDto>>,
}

impl From<OrgUpdateDto> for OrgUpdate {
    fn from(dto: OrgUpdateDto) -> Self {
        let OrgUpdateDto { cid: _, name: _, description, quota, payment } = dto;
        let quota = quota.map(|Object(quota)| quota);
        Self { description, quota, payment: payment.into_change(|Object(payment)| payment.into()) }
    }
}

/// `GET /orgs?cid=&name=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgQuery {
    /// Whose; the caller's own without.
    pub cid: Option<Cid>,
    /// This one only.
    pub name: Option<Slug>,
    /// Where the page before ended.
    pub cursor: Option<Cursor<OrgId>>,
    /// How many at a time.
    pub limit: Option<Limit>,
}
