use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{NewOrg, OrgUpdate};
use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, Org, Space};
use crate::defaults;
use crate::id::{OrgId, SpaceId};
use crate::name::{Cid, Slug};
use crate::quota::Quota;
use crate::service::commit::{Rounds, may, of_org, of_space, who, writable};
use crate::service::customers::replace;
use crate::service::text::check_description;
use crate::service::{ConflictCode, IfMatch, Noun, Service, ServiceError};
use crate::site::org_label;
use crate::store::{Change, EventKind, Expect, Who, Write};

/// Of a DNS label.
const LONGEST_LABEL: usize = 63;
/// Spaces that can be made with an org.
const MOST_SPACES: usize = 100;

impl Service {
    /// Makes an org, and the spaces that are named with it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `org_name_taken`, `CustomerSuspended`, `Invalid`.
    pub async fn create_org(&self, actor: &Actor, new: NewOrg, now: Timestamp) -> Result<Org, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, &new.cid).await?;
            may(actor, Action::OrgCreate, Scope::Customer(&new.cid), Noun::Customer)?;
            let same_name = self.store().org_by_name(&new.cid, &new.name).await?;
            let (org, spaces) = decide_create(&customer, same_name.as_ref(), &new, now)?;
            if self.commit(creation(&org, spaces, &who(actor), now), &mut rounds).await? {
                return Ok(org);
            }
        }
    }

    /// Changes an org.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `quota_above_org`, `Invalid`.
    pub async fn update_org(
        &self,
        actor: &Actor,
        cid: &Cid,
        name: &Slug,
        update: OrgUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<Org, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, cid).await?;
            let found = self.visible_org(actor, &customer, name, now).await?;
            let org = found.get();
            may(actor, Action::OrgUpdate, Scope::Org(cid, org.id), Noun::Org)?;
            if update.payment_account.is_some() {
                may(actor, Action::CustomerBilling, Scope::Customer(cid), Noun::Customer)?;
            }
            let (after, changed) = decide_update(&customer, org, &update, if_match)?;
            if changed.is_empty() {
                return Ok(org.clone());
            }
            if org.name == Slug::default_name() {
                self.ensure_default_org(&customer, now).await?;
            }
            let event = of_org(&after, who(actor), EventKind::OrgUpdated, json!({ "changed": changed }));
            let mut change = Change::at(now)
                .expect(Expect::CustomerActive(cid.clone()))
                .expect(Expect::QuotaCoversSpaces(org.id, after.quota))
                .write(Write::UpdateOrg(after.clone()))
                .event(event);
            if let Some(account) = &after.payment_account {
                change = change.expect(Expect::PaymentAccount(cid.clone(), account.clone()));
            }
            if self.commit(change, &mut rounds).await? {
                return Ok(after);
            }
        }
    }
}

fn decide_create(
    customer: &Customer,
    same_name: Option<&Org>,
    new: &NewOrg,
    now: Timestamp,
) -> Result<(Org, Vec<Space>), ServiceError> {
    writable(customer.lifecycle)?;
    check_description(&new.description)?;
    if same_name.is_some() || new.name == Slug::default_name() {
        let message = format!("the customer has an org named {}: choose another name", new.name);
        return Err(ServiceError::conflict(ConflictCode::OrgNameTaken, message));
    }
    if org_label(&customer.cid, &new.name).len() > LONGEST_LABEL {
        let most = LONGEST_LABEL - customer.cid.as_str().len() - 1;
        let why = format!("must have {most} characters or less, so that its sites' names fit into DNS");
        return Err(ServiceError::invalid("name", why));
    }
    if new.spaces.len() > MOST_SPACES {
        return Err(ServiceError::invalid("spaces", format!("must be {MOST_SPACES} or fewer")));
    }
    let org = Org {
        id: OrgId::new(),
        cid: customer.cid.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        quota: new.quota,
        payment_account: None,
        created_at: now,
        version: 1,
    };
    let names: BTreeSet<&Slug> = new.spaces.iter().collect();
    let spaces = names.into_iter().map(|name| space(&org, name, now)).collect();
    Ok((org, spaces))
}

fn space(org: &Org, name: &Slug, now: Timestamp) -> Space {
    if *name == Slug::default_name() {
        return defaults::space(&org.cid, org.id, now);
    }
    Space {
        id: SpaceId::new(),
        cid: org.cid.clone(),
        org: org.id,
        name: name.clone(),
        description: String::new(),
        quota: Quota::default(),
        created_at: now,
        version: 1,
    }
}

fn creation(org: &Org, spaces: Vec<Space>, who: &Who, now: Timestamp) -> Change {
    let mut change = Change::at(now)
        .expect(Expect::CustomerActive(org.cid.clone()))
        .write(Write::InsertOrg(org.clone()))
        .event(of_org(org, who.clone(), EventKind::OrgCreated, json!({ "name": org.name })));
    for space in spaces {
        let event = of_space(&space, who.clone(), EventKind::SpaceCreated, json!({ "name": space.name }));
        change = change.write(Write::InsertSpace(space)).event(event);
    }
    change
}

fn decide_update(
    customer: &Customer,
    org: &Org,
    update: &OrgUpdate,
    if_match: IfMatch,
) -> Result<(Org, Vec<&'static str>), ServiceError> {
    if_match.check(org.version)?;
    writable(customer.lifecycle)?;
    let OrgUpdate { description, quota, payment_account } = update;
    if let Some(description) = description {
        check_description(description)?;
    }
    if let Some(Some(account)) = payment_account
        && !customer.payment_accounts.contains_key(account)
    {
        let why = "must be one of the customer's payment_accounts: add it there first";
        return Err(ServiceError::invalid("payment_account", why));
    }
    let mut after = org.clone();
    let mut changed = Vec::new();
    replace(&mut after.description, description.as_ref(), "description", &mut changed);
    replace(&mut after.quota, quota.as_ref(), "quota", &mut changed);
    replace(&mut after.payment_account, payment_account.as_ref(), "payment_account", &mut changed);
    after.version += 1;
    Ok((after, changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Lifecycle;
    use crate::service::test::{NOW, cid, customer, parse};

    fn new(name: &str, spaces: &[&str]) -> NewOrg {
        NewOrg {
            cid: cid(),
            name: parse(name),
            description: String::new(),
            quota: Quota::default(),
            spaces: spaces.iter().map(|name| parse(name)).collect(),
        }
    }

    fn code(lifecycle: Lifecycle, same: Option<&Org>, new: &NewOrg) -> &'static str {
        decide_create(&customer(lifecycle), same, new, NOW).map_or_else(|error| error.code(), |_| "made")
    }

    #[test]
    fn what_org_can_be_made() {
        let taken = defaults::org(&cid(), NOW);
        assert_eq!(code(Lifecycle::Active, None, &new("team-a", &[])), "made");
        assert_eq!(code(Lifecycle::Active, Some(&taken), &new("team-a", &[])), "org_name_taken");
        assert_eq!(code(Lifecycle::Active, None, &new("default", &[])), "org_name_taken");
        assert_eq!(code(Lifecycle::Suspended, None, &new("team-a", &[])), "customer_suspended");
        assert_eq!(code(Lifecycle::Active, None, &new(&"x".repeat(59), &[])), "made");
        assert_eq!(code(Lifecycle::Active, None, &new(&"x".repeat(60), &[])), "invalid");
    }

    #[test]
    fn an_org_brings_its_spaces_each_once_and_the_default_one_with_its_own_id() {
        let new = new("team-a", &["b", "default", "b"]);
        let (org, spaces) = decide_create(&customer(Lifecycle::Active), None, &new, NOW).unwrap();
        let names: Vec<_> = spaces.iter().map(|space| space.name.as_str()).collect();
        assert_eq!(names, ["b", "default"]);
        assert_eq!(spaces[1], defaults::space(&cid(), org.id, NOW));
    }
}
