use jiff::Timestamp;
use serde_json::json;

use super::UserUpdate;
use crate::access::{Action, Actor};
use crate::account::{Customer, Identity, RoleGrant, SpaceRole, User};
use crate::name::{Cid, Username};
use crate::service::commit::{Rounds, of_user, who, writable};
use crate::service::customers::replace;
use crate::service::text::check_name;
use crate::service::{IfMatch, Service, ServiceError};
use crate::store::{Change, EventKind, Expect, Write};

impl Service {
    /// Changes a user. A user may change its own name, e-mail address and password.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`, `Invalid`.
    pub async fn update_user(
        &self,
        actor: &Actor,
        cid: &Cid,
        username: &Username,
        update: UserUpdate,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<User, ServiceError> {
        self.visible_customer(actor, cid).await?;
        self.user_for(actor, update.action(), cid, username).await?;
        let hash = self.hash_password(update.password.as_ref()).await?;
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, cid).await?;
            let user = self.user_for(actor, update.action(), cid, username).await?;
            let roles = match &update.roles {
                Some(named) => named.clone(),
                None => self.living_roles(&customer, update.kept_roles(&user)).await?,
            };
            let roles =
                self.check_roles(&customer, &roles, update.spaces.as_deref().unwrap_or_default()).await?;
            let (after, changed) = decide_update(&customer, &user, &update, roles.roles.clone(), if_match)?;
            if changed.is_empty() {
                return Ok(user);
            }
            let event = of_user(&after, who(actor), EventKind::UserUpdated, json!({ "changed": changed }));
            let mut change = Change::at(now)
                .expect(Expect::CustomerActive(cid.clone()))
                .write(Write::UpdateUser(after.clone()))
                .event(event);
            if let Some(hash) = &hash {
                let identity = Identity::User(cid.clone(), user.id);
                // Whoever knew the old one is out.
                change = change
                    .write(Write::SetPassword(identity.clone(), hash.clone()))
                    .write(Write::DeleteSessions(identity));
            }
            if self.commit(roles.expected(change), &mut rounds).await? {
                return Ok(after);
            }
        }
    }

    /// Deletes a user with its password and keys.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `VersionMismatch`.
    pub async fn delete_user(
        &self,
        actor: &Actor,
        cid: &Cid,
        username: &Username,
        if_match: IfMatch,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, cid).await?;
            let user = self.user_for(actor, Action::UserDelete, cid, username).await?;
            if_match.check(user.version)?;
            writable(customer.lifecycle)?;
            let change = Change::at(now)
                .expect(Expect::CustomerActive(cid.clone()))
                .write(Write::DeleteUser(user.id, user.version))
                .event(of_user(&user, who(actor), EventKind::UserDeleted, json!({})));
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }
}

impl UserUpdate {
    const fn action(&self) -> Action {
        if self.enabled.is_some() || self.spaces.is_some() || self.roles.is_some() {
            Action::UserUpdate
        } else {
            Action::ProfileUpdate
        }
    }

    /// The roles that stay when none are named: `spaces` takes the place of what made it a developer.
    fn kept_roles(&self, user: &User) -> Vec<RoleGrant> {
        let is_developer =
            |role: &RoleGrant| matches!(role, RoleGrant::Space { role: SpaceRole::Developer, .. });
        let kept = user.roles.iter().filter(|role| self.spaces.is_none() || !is_developer(role));
        kept.copied().collect()
    }
}

fn decide_update(
    customer: &Customer,
    user: &User,
    update: &UserUpdate,
    roles: Vec<RoleGrant>,
    if_match: IfMatch,
) -> Result<(User, Vec<&'static str>), ServiceError> {
    if_match.check(user.version)?;
    writable(customer.lifecycle)?;
    let UserUpdate { name, email, password, enabled, spaces, roles: named } = update;
    if let Some(name) = name {
        check_name(name)?;
    }
    let mut after = user.clone();
    let mut changed = Vec::new();
    replace(&mut after.name, name.as_ref(), "name", &mut changed);
    replace(&mut after.email, email.as_ref(), "email", &mut changed);
    replace(&mut after.enabled, enabled.as_ref(), "enabled", &mut changed);
    let roles = (spaces.is_some() || named.is_some()).then_some(roles);
    replace(&mut after.roles, roles.as_ref(), "roles", &mut changed);
    if password.is_some() {
        changed.push("password");
    }
    after.version += 1;
    Ok((after, changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Lifecycle, OrgRole};
    use crate::id::{OrgId, SpaceId, UserId};
    use crate::service::test::{NOW, cid, customer, parse};

    fn user(roles: Vec<RoleGrant>) -> User {
        User {
            id: UserId::new(),
            cid: cid(),
            username: parse("ada"),
            name: "Ada".to_owned(),
            email: parse("ada@acme.example"),
            enabled: true,
            roles,
            created_at: NOW,
            version: 1,
        }
    }

    #[test]
    fn spaces_take_the_place_of_what_made_a_developer() {
        let (org, space) = (OrgId::new(), SpaceId::new());
        let manager = RoleGrant::Org { org, role: OrgRole::Manager };
        let developer = RoleGrant::Space { org, space, role: SpaceRole::Developer };
        let user = user(vec![manager, developer]);
        let spaces = UserUpdate { spaces: Some(Vec::new()), ..UserUpdate::default() };
        assert_eq!(spaces.kept_roles(&user), [manager]);
        assert_eq!(UserUpdate::default().kept_roles(&user), [manager, developer]);
    }

    #[test]
    fn a_profile_is_no_grant() {
        let profile = UserUpdate { name: Some("Ada L.".to_owned()), ..UserUpdate::default() };
        assert_eq!(profile.action(), Action::ProfileUpdate);
        let grant = UserUpdate { enabled: Some(true), ..UserUpdate::default() };
        assert_eq!(grant.action(), Action::UserUpdate);
        let before = user(Vec::new());
        let decide = |lifecycle, if_match| {
            decide_update(&customer(lifecycle), &before, &profile, Vec::new(), if_match)
                .map(|(after, changed)| (after.name, changed))
                .map_err(|error| error.code())
        };
        let changed = ("Ada L.".to_owned(), vec!["name"]);
        assert_eq!(decide(Lifecycle::Active, IfMatch::Any), Ok(changed));
        assert_eq!(decide(Lifecycle::Active, IfMatch::Version(2)), Err("version_mismatch"));
        assert_eq!(decide(Lifecycle::Suspended, IfMatch::Any), Err("customer_suspended"));
    }
}
