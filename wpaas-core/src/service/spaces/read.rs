use jiff::Timestamp;

use crate::access::{Access, Action, Actor, Scope, decide};
use crate::account::Space;
use crate::id::{OrgId, SpaceId};
use crate::name::{Cid, Slug};
use crate::service::commit::may;
use crate::service::visible::visible;
use crate::service::{Listed, Noun, Page, Service, ServiceError};

impl Service {
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
        let (customer, org) = self.customer_and_org(actor, org, now).await?;
        if *name == Slug::default_name() {
            self.ensure_default_space(&customer, &org, now).await?;
        }
        let space = self.visible_space(actor, &customer, &org, name, now).await?.get().clone();
        may(actor, Action::SpaceRead, Scope::Space(&org.cid, org.id, space.id), Noun::Space)?;
        Ok(space)
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
        let (customer, org) = self.customer_and_org(actor, org, now).await?;
        self.ensure_default_space(&customer, &org, now).await?;
        self.list_spaces(actor, &customer.cid, Some(org.id), page).await
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
        let customer = self.visible_customer(actor, cid).await?;
        if let Some(org) = self.ensure_default_org(&customer, now).await? {
            self.ensure_default_space(&customer, &org, now).await?;
        }
        self.list_spaces(actor, cid, None, page).await
    }

    async fn list_spaces(
        &self,
        actor: &Actor,
        cid: &Cid,
        org: Option<OrgId>,
        page: Page<SpaceId>,
    ) -> Result<Listed<Space, SpaceId>, ServiceError> {
        let passes = |space: &Space| {
            decide(actor, Action::SpaceRead, Scope::Space(cid, space.org, space.id)) == Access::Allowed
        };
        let read = |piece| async move { self.store().spaces(cid, org, &piece).await };
        visible(page, |space| space.id, passes, read).await
    }
}
