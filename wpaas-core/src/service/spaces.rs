use jiff::Timestamp;

use super::{IfMatch, Listed, Page, Recursion, Service, ServiceError};
use crate::access::Actor;
use crate::account::Space;
use crate::id::{OrgId, SpaceId};
use crate::name::{Cid, Slug};
use crate::quota::Quota;

/// A space to make.
#[derive(Debug, Clone)]
pub struct NewSpace {
    /// In which org.
    pub org: OrgId,
    /// Unique in the org.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Never above the org's.
    pub quota: Quota,
}

/// What to change of a space; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SpaceUpdate {
    /// For people.
    pub description: Option<String>,
    /// The whole quota.
    pub quota: Option<Quota>,
}

impl Service {
    /// Makes a space.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `space_name_taken`, `quota_above_org`, `CustomerSuspended`.
    pub async fn create_space(
        &self,
        actor: &Actor,
        new: NewSpace,
        now: Timestamp,
    ) -> Result<Space, ServiceError> {
        todo!()
    }

    /// One space by its name; the default space is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn space_by_name(
        &self,
        actor: &Actor,
        org: OrgId,
        name: &Slug,
        now: Timestamp,
    ) -> Result<Space, ServiceError> {
        todo!()
    }

    /// Those of an org's spaces that the actor may see; the default space is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound` for an org that the actor may not see.
    pub async fn spaces_of_org(
        &self,
        actor: &Actor,
        org: OrgId,
        page: Page<SpaceId>,
        now: Timestamp,
    ) -> Result<Listed<Space, SpaceId>, ServiceError> {
        todo!()
    }

    /// Those of a customer's spaces that the actor may see; the default org and its default space are made if
    /// need be.
    ///
    /// # Errors
    ///
    /// `NotFound` for a customer that the actor may not see.
    pub async fn spaces_of_customer(
        &self,
        actor: &Actor,
        cid: &Cid,
        page: Page<SpaceId>,
        now: Timestamp,
    ) -> Result<Listed<Space, SpaceId>, ServiceError> {
        todo!()
    }

    /// Changes a space.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `quota_above_org`.
    pub async fn update_space(
        &self,
        actor: &Actor,
        org: OrgId,
        name: &Slug,
        update: SpaceUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Space, ServiceError> {
        todo!()
    }

    /// Deletes a space. `Recursive` takes its sites along without a grace; of the default space it leaves the
    /// space itself.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `default_space`, `not_empty`, `site_protected`, `VersionMismatch`.
    pub async fn delete_space(
        &self,
        actor: &Actor,
        org: OrgId,
        name: &Slug,
        recursion: Recursion,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        todo!()
    }
}
