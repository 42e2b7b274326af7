//! Spaces.

use jiff::Timestamp;
use serde::Serialize;
use wpaas_core::account::{Space, Version};
use wpaas_core::id::{OrgId, SpaceId};
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;

/// A space.
#[derive(Debug, Serialize)]
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
    pub description: String,
    /// Never above the org's.
    pub quota: Quota,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of this record; also the `ETag`.
    pub version: Version,
}

impl From<Space> for SpaceView {
    fn from(space: Space) -> Self {
        let Space { id, cid, org, name, description, quota, created_at, version } = space;
        Self { id, cid, org_id: org, name, description, quota, created_at, version }
    }
}
