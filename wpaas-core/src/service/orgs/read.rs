use jiff::Timestamp;

use crate::access::{Access, Action, Actor, Scope, decide};
use crate::account::{Customer, Org};
use crate::defaults;
use crate::id::OrgId;
use crate::name::{Cid, Slug};
use crate::service::commit::may;
use crate::service::place::see;
use crate::service::visible::visible;
use crate::service::{Listed, Noun, Page, Service, ServiceError};

impl Service {
    /// One org by its id; the actor's own default org is made if need be.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn org(&self, actor: &Actor, id: OrgId, now: Timestamp) -> Result<Org, ServiceError> {
        let (_, org) = self.customer_and_org(actor, id, now).await?;
        may(actor, Action::OrgRead, Scope::Org(&org.cid, org.id), Noun::Org)?;
        Ok(org)
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
        let customer = self.visible_customer(actor, cid).await?;
        if *name == Slug::default_name() {
            self.ensure_default_org(&customer, now).await?;
        }
        let org = self.visible_org(actor, &customer, name, now).await?.get().clone();
        may(actor, Action::OrgRead, Scope::Org(cid, org.id), Noun::Org)?;
        Ok(org)
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
        let customer = self.visible_customer(actor, cid).await?;
        self.ensure_default_org(&customer, now).await?;
        let passes = |org: &Org| decide(actor, Action::OrgRead, Scope::Org(cid, org.id)) == Access::Allowed;
        let read = |piece| async move { self.store().orgs(cid, &piece).await };
        visible(page, |org| org.id, passes, read).await
    }

    /// The org of this id and its customer, if the actor may know of it. The actor's own default org is made
    /// if need be: its id is derived, so nobody can tell whether it was stored.
    pub(in crate::service) async fn customer_and_org(
        &self,
        actor: &Actor,
        id: OrgId,
        now: Timestamp,
    ) -> Result<(Customer, Org), ServiceError> {
        let not_found = || ServiceError::not_found(Noun::Org);
        let stored = self.store().org(id).await?;
        let own = match actor {
            Actor::Customer(cid) | Actor::User { cid, .. } => Some(cid),
            Actor::Operator => None,
        };
        let default = own.filter(|cid| defaults::org_id(cid) == id);
        let cid = stored.as_ref().map(|org| &org.cid).or(default).ok_or_else(not_found)?;
        see(actor, Action::OrgRead, Scope::Org(cid, id), Noun::Org)?;
        let customer = self.store().customer(cid).await?.ok_or_else(not_found)?;
        let org = match stored {
            Some(org) => org,
            None => self.ensure_default_org(&customer, now).await?.ok_or_else(not_found)?,
        };
        Ok((customer, org))
    }
}
