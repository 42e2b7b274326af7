use jiff::Timestamp;

use super::{IfMatch, Listed, Page, Recursion, Service, ServiceError};
use crate::access::Actor;
use crate::account::{Org, Payment};
use crate::id::OrgId;
use crate::name::{Cid, Slug};
use crate::quota::Quota;

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
    /// A payment account of its own; `Some(None)` goes back to the customer's. Only the operator may change it.
    pub payment: Option<Option<Payment>>,
}

impl Service {
    /// Makes an org.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `org_name_taken`, `CustomerSuspended`, `Invalid`.
    pub async fn create_org(&self, actor: &Actor, new: NewOrg, now: Timestamp) -> Result<Org, ServiceError> {
        todo!()
    }

    /// One org by its id; the actor's own default org is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn org(&self, actor: &Actor, id: OrgId, now: Timestamp) -> Result<Org, ServiceError> {
        todo!()
    }

    /// One org by its name; the default org is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn org_by_name(
        &self,
        actor: &Actor,
        cid: &Cid,
        name: &Slug,
        now: Timestamp,
    ) -> Result<Org, ServiceError> {
        todo!()
    }

    /// Those of a customer's orgs that the actor may see; the default org is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound` for a customer that the actor may not see.
    pub async fn orgs(
        &self,
        actor: &Actor,
        cid: &Cid,
        page: Page<OrgId>,
        now: Timestamp,
    ) -> Result<Listed<Org, OrgId>, ServiceError> {
        todo!()
    }

    /// Changes an org.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `quota_above_org`.
    pub async fn update_org(
        &self,
        actor: &Actor,
        cid: &Cid,
        name: &Slug,
        update: OrgUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Org, ServiceError> {
        todo!()
    }

    /// Deletes an org. `Recursive` takes its spaces and sites along without a grace; of the default org it
    /// leaves the org itself.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `default_org`, `not_empty`, `site_protected`, `VersionMismatch`.
    pub async fn delete_org(
        &self,
        actor: &Actor,
        cid: &Cid,
        name: &Slug,
        recursion: Recursion,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        todo!()
    }
}
