//! Who may do what where: pure functions, default deny.
//!
//! What one may not see is [`Access::Hidden`] (404), what one may see but not do is [`Access::Forbidden`] (403).
//! `tests/access.out` holds the whole table.

use crate::account::{OrgRole, RoleGrant, SpaceRole};
use crate::id::{OrgId, SpaceId, UserId};
use crate::name::Cid;

/// Who asks, with what it was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Runs the installation: may do everything.
    Operator,
    /// A customer's own identity: manages orgs and users, reads sites.
    Customer(Cid),
    /// A user of a customer.
    User {
        /// Whose user.
        cid: Cid,
        /// Which.
        id: UserId,
        /// Its roles.
        roles: Vec<RoleGrant>,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Action {
    CustomerRegister,
    CustomerList,
    CustomerRead,
    CustomerUpdate,
    CustomerBilling,
    CustomerSuspend,
    CustomerDelete,
    OrgCreate,
    OrgRead,
    OrgUpdate,
    OrgDelete,
    SpaceCreate,
    SpaceRead,
    SpaceUpdate,
    SpaceDelete,
    UserCreate,
    UserRead,
    UserUpdate,
    ProfileUpdate,
    UserDelete,
    KeyManage,
    SiteCreate,
    SiteRead,
    SiteUpdate,
    SiteDelete,
    UsageRead,
    EventRead,
    WebhookManage,
}

impl Action {
    /// Every action, in the order of the table.
    pub const ALL: [Self; 28] = [
        Self::CustomerRegister,
        Self::CustomerList,
        Self::CustomerRead,
        Self::CustomerUpdate,
        Self::CustomerBilling,
        Self::CustomerSuspend,
        Self::CustomerDelete,
        Self::OrgCreate,
        Self::OrgRead,
        Self::OrgUpdate,
        Self::OrgDelete,
        Self::SpaceCreate,
        Self::SpaceRead,
        Self::SpaceUpdate,
        Self::SpaceDelete,
        Self::UserCreate,
        Self::UserRead,
        Self::UserUpdate,
        Self::ProfileUpdate,
        Self::UserDelete,
        Self::KeyManage,
        Self::SiteCreate,
        Self::SiteRead,
        Self::SiteUpdate,
        Self::SiteDelete,
        Self::UsageRead,
        Self::EventRead,
        Self::WebhookManage,
    ];
}

/// Where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The installation.
    System,
    /// A customer: its record, its list of orgs.
    Customer(&'a Cid),
    /// A user of a customer: its record and its keys.
    User(&'a Cid, UserId),
    /// An org of a customer.
    Org(&'a Cid, OrgId),
    /// A space of an org, and the sites in it.
    Space(&'a Cid, OrgId, SpaceId),
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// May.
    Allowed,
    /// May see it, may not do this.
    Forbidden,
    /// May not know that it is there.
    Hidden,
}

/// Decides. Pure: the same question has the same answer.
#[must_use]
pub fn decide(actor: &Actor, action: Action, scope: Scope<'_>) -> Access {
    match actor {
        Actor::Operator => Access::Allowed,
        Actor::Customer(cid) => customer(cid, action, scope),
        Actor::User { cid, id, roles } => user(cid, *id, roles, action, scope),
    }
}

fn customer(own: &Cid, action: Action, scope: Scope<'_>) -> Access {
    use Action as A;
    let cid = match scope {
        Scope::System => return Access::Forbidden,
        Scope::Customer(cid) | Scope::User(cid, _) | Scope::Org(cid, _) | Scope::Space(cid, ..) => cid,
    };
    if cid != own {
        return Access::Hidden;
    }
    match action {
        A::CustomerRegister
        | A::CustomerList
        | A::CustomerBilling
        | A::CustomerSuspend
        | A::SiteCreate
        | A::SiteUpdate
        | A::SiteDelete
        | A::WebhookManage => Access::Forbidden,
        A::CustomerRead
        | A::CustomerUpdate
        | A::CustomerDelete
        | A::OrgCreate
        | A::OrgRead
        | A::OrgUpdate
        | A::OrgDelete
        | A::SpaceCreate
        | A::SpaceRead
        | A::SpaceUpdate
        | A::SpaceDelete
        | A::UserCreate
        | A::UserRead
        | A::UserUpdate
        | A::ProfileUpdate
        | A::UserDelete
        | A::KeyManage
        | A::SiteRead
        | A::UsageRead
        | A::EventRead => Access::Allowed,
    }
}

fn user(own: &Cid, id: UserId, roles: &[RoleGrant], action: Action, scope: Scope<'_>) -> Access {
    match scope {
        Scope::System => Access::Forbidden,
        Scope::Customer(cid) if cid == own => allow_if(action == Action::CustomerRead),
        Scope::User(cid, user) if cid == own && user == id => {
            allow_if(matches!(action, Action::UserRead | Action::ProfileUpdate | Action::KeyManage))
        }
        Scope::Org(cid, org) if cid == own => in_org(roles, action, org),
        Scope::Space(cid, org, space) if cid == own => in_space(roles, action, org, space),
        Scope::Customer(_) | Scope::User(..) | Scope::Org(..) | Scope::Space(..) => Access::Hidden,
    }
}

fn in_org(roles: &[RoleGrant], action: Action, org: OrgId) -> Access {
    let mut visible = false;
    for grant in roles {
        match *grant {
            RoleGrant::Org { org: at, role } if at == org => {
                visible = true;
                if org_role_allows(role, action) {
                    return Access::Allowed;
                }
            }
            RoleGrant::Space { org: at, .. } if at == org => {
                visible = true;
                if action == Action::OrgRead {
                    return Access::Allowed;
                }
            }
            RoleGrant::Org { .. } | RoleGrant::Space { .. } => {}
        }
    }
    if visible { Access::Forbidden } else { Access::Hidden }
}

fn in_space(roles: &[RoleGrant], action: Action, org: OrgId, space: SpaceId) -> Access {
    let mut visible = false;
    for grant in roles {
        let allowed = match *grant {
            RoleGrant::Org { org: at, role } if at == org => {
                visible |= role != OrgRole::Billing;
                org_role_allows(role, action)
            }
            RoleGrant::Space { space: at, role, .. } if at == space => {
                visible = true;
                space_role_allows(role, action)
            }
            RoleGrant::Org { .. } | RoleGrant::Space { .. } => false,
        };
        if allowed {
            return Access::Allowed;
        }
    }
    if visible { Access::Forbidden } else { Access::Hidden }
}

fn org_role_allows(role: OrgRole, action: Action) -> bool {
    use Action as A;
    match role {
        OrgRole::Manager => matches!(
            action,
            A::OrgRead
                | A::OrgUpdate
                | A::SpaceCreate
                | A::SpaceRead
                | A::SpaceUpdate
                | A::SpaceDelete
                | A::SiteCreate
                | A::SiteRead
                | A::SiteUpdate
                | A::SiteDelete
                | A::UsageRead
                | A::EventRead
        ),
        OrgRole::Billing => matches!(action, A::OrgRead | A::UsageRead),
        OrgRole::Auditor => {
            matches!(action, A::OrgRead | A::SpaceRead | A::SiteRead | A::UsageRead | A::EventRead)
        }
    }
}

fn space_role_allows(role: SpaceRole, action: Action) -> bool {
    use Action as A;
    match role {
        SpaceRole::Manager => action == A::SpaceUpdate || space_role_allows(SpaceRole::Developer, action),
        SpaceRole::Developer => matches!(
            action,
            A::SpaceRead | A::SiteCreate | A::SiteRead | A::SiteUpdate | A::SiteDelete | A::EventRead
        ),
        SpaceRole::Viewer => matches!(action, A::SpaceRead | A::SiteRead | A::EventRead),
    }
}

fn allow_if(allowed: bool) -> Access {
    if allowed { Access::Allowed } else { Access::Forbidden }
}
