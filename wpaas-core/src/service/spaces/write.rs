use jiff::Timestamp;
use serde_json::json;

use super::{NewSpace, SpaceUpdate};
use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, Org, Space};
use crate::id::{OrgId, SpaceId};
use crate::name::Slug;
use crate::service::commit::{Rounds, may, of_space, who, writable};
use crate::service::customers::replace;
use crate::service::text::check_description;
use crate::service::{ConflictCode, IfMatch, Noun, Service, ServiceError};
use crate::store::{Change, EventKind, Expect, Write};

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
        let mut rounds = Rounds::default();
        loop {
            let (customer, org) = self.customer_and_org(actor, new.org, now).await?;
            may(actor, Action::SpaceCreate, Scope::Org(&org.cid, org.id), Noun::Org)?;
            let same_name = self.store().space_by_name(org.id, &new.name).await?;
            let space = decide_create(&customer, &org, same_name.as_ref(), &new, now)?;
            let detail = json!({ "name": space.name });
            let change = Change::at(now)
                .expect(Expect::CustomerActive(org.cid.clone()))
                .expect(Expect::QuotaFitsOrg(org.id, space.quota))
                .write(Write::InsertSpace(space.clone()))
                .event(of_space(&space, who(actor), EventKind::SpaceCreated, detail));
            if self.commit(change, &mut rounds).await? {
                return Ok(space);
            }
        }
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
        let mut rounds = Rounds::default();
        loop {
            let (customer, org) = self.customer_and_org(actor, org, now).await?;
            let found = self.visible_space(actor, &customer, &org, name, now).await?;
            let space = found.get();
            may(actor, Action::SpaceUpdate, Scope::Space(&org.cid, org.id, space.id), Noun::Space)?;
            let (after, changed) = decide_update(&customer, space, &update, if_match)?;
            if changed.is_empty() {
                return Ok(space.clone());
            }
            if space.name == Slug::default_name() {
                self.ensure_default_space(&customer, &org, now).await?;
            }
            let event = of_space(&after, who(actor), EventKind::SpaceUpdated, json!({ "changed": changed }));
            let change = Change::at(now)
                .expect(Expect::CustomerActive(org.cid.clone()))
                .expect(Expect::QuotaFitsOrg(org.id, after.quota))
                .write(Write::UpdateSpace(after.clone()))
                .event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(after);
            }
        }
    }
}

fn decide_create(
    customer: &Customer,
    org: &Org,
    same_name: Option<&Space>,
    new: &NewSpace,
    now: Timestamp,
) -> Result<Space, ServiceError> {
    writable(customer.lifecycle)?;
    check_description(&new.description)?;
    if same_name.is_some() || new.name == Slug::default_name() {
        let message = format!("the org has a space named {}: choose another name", new.name);
        return Err(ServiceError::conflict(ConflictCode::SpaceNameTaken, message));
    }
    Ok(Space {
        id: SpaceId::new(),
        cid: org.cid.clone(),
        org: org.id,
        name: new.name.clone(),
        description: new.description.clone(),
        quota: new.quota,
        created_at: now,
        version: 1,
    })
}

fn decide_update(
    customer: &Customer,
    space: &Space,
    update: &SpaceUpdate,
    if_match: IfMatch,
) -> Result<(Space, Vec<&'static str>), ServiceError> {
    if_match.check(space.version)?;
    writable(customer.lifecycle)?;
    let SpaceUpdate { description, quota } = update;
    if let Some(description) = description {
        check_description(description)?;
    }
    let mut after = space.clone();
    let mut changed = Vec::new();
    replace(&mut after.description, description.as_ref(), "description", &mut changed);
    replace(&mut after.quota, quota.as_ref(), "quota", &mut changed);
    after.version += 1;
    Ok((after, changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Lifecycle;
    use crate::defaults;
    use crate::quota::Quota;
    use crate::service::test::{NOW, cid, customer, parse};

    #[test]
    fn what_space_can_be_made() {
        let org = defaults::org(&cid(), NOW);
        let taken = defaults::space(&cid(), org.id, NOW);
        let code = |lifecycle, same: Option<&Space>, name: &str| {
            let new = NewSpace {
                org: org.id,
                name: parse(name),
                description: String::new(),
                quota: Quota::default(),
            };
            decide_create(&customer(lifecycle), &org, same, &new, NOW).map_or_else(|e| e.code(), |_| "made")
        };
        assert_eq!(code(Lifecycle::Active, None, "b"), "made");
        assert_eq!(code(Lifecycle::Active, Some(&taken), "b"), "space_name_taken");
        assert_eq!(code(Lifecycle::Active, None, "default"), "space_name_taken");
        assert_eq!(code(Lifecycle::Suspended, None, "b"), "customer_suspended");
    }

    #[test]
    fn only_what_differs_is_changed() {
        let space = defaults::space(&cid(), defaults::org_id(&cid()), NOW);
        let update =
            |description: &str| SpaceUpdate { description: Some(description.to_owned()), quota: None };
        let decide = |update, if_match| {
            decide_update(&customer(Lifecycle::Active), &space, &update, if_match)
                .map(|(after, changed)| (after.version, changed))
                .map_err(|error| error.code())
        };
        assert_eq!(decide(update("new"), IfMatch::Version(1)), Ok((2, vec!["description"])));
        assert_eq!(decide(update(""), IfMatch::Any), Ok((2, Vec::new())));
        assert_eq!(decide(update("new"), IfMatch::Version(7)), Err("version_mismatch"));
    }
}
