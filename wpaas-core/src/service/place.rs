use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, may, of_org, of_space};
use super::{Noun, Service, ServiceError, SitePlace};
use crate::access::{Access, Action, Actor, Scope, decide};
use crate::account::{Customer, Lifecycle, Org, Space};
use crate::defaults;
use crate::name::{Cid, Slug};
use crate::store::{Change, EventKind, Expect, Located, StoredSite, Who, Write};

/// A default that may not be stored yet; whoever reads it can't tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    Stored(T),
    Virtual(T),
}

impl<T> Found<T> {
    pub(super) const fn get(&self) -> &T {
        match self {
            Self::Stored(value) | Self::Virtual(value) => value,
        }
    }
}

/// Where something is, as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) customer: Customer,
    pub(super) org: Found<Org>,
    pub(super) space: Found<Space>,
}

impl Place {
    /// What makes the place real: nothing, or the default org and space with their events.
    pub(super) fn ensure(&self, now: Timestamp) -> Change {
        let mut change = Change::at(now);
        if let Found::Virtual(org) = &self.org {
            change = with_default_org(change, org);
        }
        if let Found::Virtual(space) = &self.space {
            change = with_default_space(change, space);
        }
        change
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope::Space(&self.customer.cid, self.org.get().id, self.space.get().id)
    }
}

/// Made by the system for anyone who may read the customer.
fn with_default_org(change: Change, org: &Org) -> Change {
    let event = of_org(org, Who::System, EventKind::OrgCreated, json!({ "name": org.name, "default": true }));
    change.expect(Expect::CustomerPresent(org.cid.clone())).write(Write::InsertOrg(org.clone())).event(event)
}

fn with_default_space(change: Change, space: &Space) -> Change {
    let detail = json!({ "name": space.name, "default": true });
    change
        .expect(Expect::CustomerPresent(space.cid.clone()))
        .write(Write::InsertSpace(space.clone()))
        .event(of_space(space, Who::System, EventKind::SpaceCreated, detail))
}

/// Whether defaults may be made for a customer.
const fn takes_defaults(customer: &Customer) -> bool {
    matches!(customer.lifecycle, Lifecycle::Active | Lifecycle::Suspended)
}

impl Service {
    /// The customer, if the actor may know of it.
    pub(super) async fn visible_customer(&self, actor: &Actor, cid: &Cid) -> Result<Customer, ServiceError> {
        seen_customer(actor, cid, self.store().customer(cid).await?)
    }

    /// The customer's org of this name, if the actor may know of it; the default one also before it is stored.
    pub(super) async fn visible_org(
        &self,
        actor: &Actor,
        customer: &Customer,
        name: &Slug,
        now: Timestamp,
    ) -> Result<Found<Org>, ServiceError> {
        seen_org(actor, customer, self.store().org_by_name(&customer.cid, name).await?, name, now)
    }

    /// The org's space of this name, if the actor may know of it; the default one also before it is stored.
    pub(super) async fn visible_space(
        &self,
        actor: &Actor,
        customer: &Customer,
        org: &Org,
        name: &Slug,
        now: Timestamp,
    ) -> Result<Found<Space>, ServiceError> {
        seen_space(actor, customer, org, self.store().space_by_name(org.id, name).await?, name, now)
    }

    /// Where the path leads, if the actor may know of it and do this there.
    pub(super) async fn place(
        &self,
        actor: &Actor,
        action: Action,
        place: &SitePlace,
        now: Timestamp,
    ) -> Result<Place, ServiceError> {
        Ok(self.place_and_site(actor, action, place, None, now).await?.0)
    }

    /// The same, and the org's site of this name, whatever space it is in. One read, whoever asks for whatever.
    pub(super) async fn place_and_site(
        &self,
        actor: &Actor,
        action: Action,
        place: &SitePlace,
        site: Option<&Slug>,
        now: Timestamp,
    ) -> Result<(Place, Option<StoredSite>), ServiceError> {
        let default = Slug::default_name();
        let (org_name, space_name) =
            (place.org.as_ref().unwrap_or(&default), place.space.as_ref().unwrap_or(&default));
        let located = self.store().located(&place.cid, org_name, space_name, site).await?;
        let Located { customer, org, space, site } = located;
        let customer = seen_customer(actor, &place.cid, customer)?;
        let org = seen_org(actor, &customer, org, org_name, now)?;
        let space = seen_space(actor, &customer, org.get(), space, space_name, now)?;
        let place = Place { customer, org, space };
        may(actor, action, place.scope(), Noun::Site)?;
        Ok((place, site))
    }

    /// Stores the customer's default org unless it is. One row and one event, whoever else asks at once.
    pub(super) async fn ensure_default_org(
        &self,
        customer: &Customer,
        now: Timestamp,
    ) -> Result<Option<Org>, ServiceError> {
        let id = defaults::org_id(&customer.cid);
        let mut rounds = Rounds::default();
        loop {
            if let Some(org) = self.store().org(id).await? {
                return Ok(Some(org));
            }
            if !takes_defaults(customer) {
                return Ok(None);
            }
            let org = defaults::org(&customer.cid, now);
            if self.commit_aside(with_default_org(Change::at(now), &org), &mut rounds).await? {
                return Ok(Some(org));
            }
        }
    }

    /// Stores the org's default space unless it is.
    pub(super) async fn ensure_default_space(
        &self,
        customer: &Customer,
        org: &Org,
        now: Timestamp,
    ) -> Result<Option<Space>, ServiceError> {
        let id = defaults::space_id(org.id);
        let mut rounds = Rounds::default();
        loop {
            if let Some(space) = self.store().space(id).await? {
                return Ok(Some(space));
            }
            if !takes_defaults(customer) {
                return Ok(None);
            }
            let space = defaults::space(&customer.cid, org.id, now);
            if self.commit_aside(with_default_space(Change::at(now), &space), &mut rounds).await? {
                return Ok(Some(space));
            }
        }
    }
}

/// What was found, if the actor may know of it.
fn seen_customer(actor: &Actor, cid: &Cid, found: Option<Customer>) -> Result<Customer, ServiceError> {
    see(actor, Action::CustomerRead, Scope::Customer(cid), Noun::Customer)?;
    found.ok_or(ServiceError::not_found(Noun::Customer))
}

/// What was found of this name, or the default one before it is stored, if the actor may know of it.
fn seen_org(
    actor: &Actor,
    customer: &Customer,
    found: Option<Org>,
    name: &Slug,
    now: Timestamp,
) -> Result<Found<Org>, ServiceError> {
    let found = found.map(Found::Stored).or_else(|| {
        let is_default = *name == Slug::default_name() && takes_defaults(customer);
        is_default.then(|| Found::Virtual(defaults::org(&customer.cid, now)))
    });
    let found = found.ok_or(ServiceError::not_found(Noun::Org))?;
    see(actor, Action::OrgRead, Scope::Org(&customer.cid, found.get().id), Noun::Org)?;
    Ok(found)
}

/// As `seen_org`, for a space.
fn seen_space(
    actor: &Actor,
    customer: &Customer,
    org: &Org,
    found: Option<Space>,
    name: &Slug,
    now: Timestamp,
) -> Result<Found<Space>, ServiceError> {
    let found = found.map(Found::Stored).or_else(|| {
        let is_default = *name == Slug::default_name() && takes_defaults(customer);
        is_default.then(|| Found::Virtual(defaults::space(&customer.cid, org.id, now)))
    });
    let found = found.ok_or(ServiceError::not_found(Noun::Space))?;
    see(actor, Action::SpaceRead, Scope::Space(&org.cid, org.id, found.get().id), Noun::Space)?;
    Ok(found)
}

/// Whether the actor may know of it, whatever it may do there.
pub(super) fn see(actor: &Actor, action: Action, scope: Scope<'_>, what: Noun) -> Result<(), ServiceError> {
    match decide(actor, action, scope) {
        Access::Hidden => Err(ServiceError::not_found(what)),
        Access::Allowed | Access::Forbidden => Ok(()),
    }
}
