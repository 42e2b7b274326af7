use std::collections::BTreeSet;

use crate::account::{Customer, RoleGrant, SpaceRole};
use crate::defaults;
use crate::id::{OrgId, SpaceId};
use crate::service::{Service, ServiceError};
use crate::store::{Change, Expect, Record};

/// A user's roles, at most.
const MOST: usize = 200;

/// Roles that are known to be at places of the customer, and the stored places they are at.
#[derive(Debug, Clone, Default)]
pub(super) struct CheckedRoles {
    pub(super) roles: Vec<RoleGrant>,
    places: Vec<Record>,
}

impl CheckedRoles {
    /// The change, done only if the places are still there.
    pub(super) fn expected(&self, mut change: Change) -> Change {
        change.expect.extend(self.places.iter().cloned().map(Expect::Present));
        change
    }
}

impl Service {
    /// The named roles, and developer on each of the spaces; refuses what is not the customer's.
    pub(super) async fn check_roles(
        &self,
        customer: &Customer,
        roles: &[RoleGrant],
        spaces: &[SpaceId],
    ) -> Result<CheckedRoles, ServiceError> {
        if roles.len() + spaces.len() > MOST {
            return Err(ServiceError::invalid("roles", format!("must be {MOST} or fewer")));
        }
        let mut checked = CheckedRoles::default();
        for space in spaces {
            let org = self.org_of_space(customer, *space).await?;
            let org = org.ok_or_else(|| ServiceError::invalid("spaces", format!("there is no {space}")))?;
            checked.roles.push(RoleGrant::Space { org, space: *space, role: SpaceRole::Developer });
        }
        for role in roles {
            if !self.is_at(customer, role).await? {
                let why = "names an org or a space that is not there".to_owned();
                return Err(ServiceError::invalid("roles", why));
            }
            if !checked.roles.contains(role) {
                checked.roles.push(*role);
            }
        }
        checked.places = stored_places(customer, &checked.roles);
        Ok(checked)
    }

    /// Those whose places are still there.
    pub(super) async fn living_roles(
        &self,
        customer: &Customer,
        roles: Vec<RoleGrant>,
    ) -> Result<Vec<RoleGrant>, ServiceError> {
        let mut living = Vec::new();
        for role in roles {
            if self.is_at(customer, &role).await? {
                living.push(role);
            }
        }
        Ok(living)
    }

    async fn is_at(&self, customer: &Customer, role: &RoleGrant) -> Result<bool, ServiceError> {
        Ok(match role {
            RoleGrant::Org { org, .. } => {
                *org == defaults::org_id(&customer.cid)
                    || self.store().org(*org).await?.is_some_and(|found| found.cid == customer.cid)
            }
            RoleGrant::Space { org, space, .. } => self.org_of_space(customer, *space).await? == Some(*org),
        })
    }

    /// The org of one of the customer's spaces; the default org's default space also before it is stored.
    async fn org_of_space(&self, customer: &Customer, space: SpaceId) -> Result<Option<OrgId>, ServiceError> {
        let default = defaults::org_id(&customer.cid);
        if space == defaults::space_id(default) {
            return Ok(Some(default));
        }
        let found = self.store().space(space).await?.filter(|found| found.cid == customer.cid);
        Ok(found.map(|found| found.org))
    }
}

/// All but the customer's defaults, which count as there before they are stored.
fn stored_places(customer: &Customer, roles: &[RoleGrant]) -> Vec<Record> {
    let default = defaults::org_id(&customer.cid);
    let orgs: BTreeSet<OrgId> = roles
        .iter()
        .map(|role| match role {
            RoleGrant::Org { org, .. } | RoleGrant::Space { org, .. } => *org,
        })
        .filter(|org| *org != default)
        .collect();
    let spaces: BTreeSet<SpaceId> = roles
        .iter()
        .filter_map(|role| match role {
            RoleGrant::Space { space, .. } => Some(*space),
            RoleGrant::Org { .. } => None,
        })
        .filter(|space| *space != defaults::space_id(default))
        .collect();
    orgs.into_iter().map(Record::Org).chain(spaces.into_iter().map(Record::Space)).collect()
}
