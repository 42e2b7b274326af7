use jiff::Timestamp;
use serde_json::json;

use super::NewUser;
use crate::access::{Action, Actor, Scope};
use crate::account::{Customer, Identity, RoleGrant, User};
use crate::id::UserId;
use crate::service::commit::{Rounds, may, of_user, who, writable};
use crate::service::keys::{issue, of_key};
use crate::service::text::check_name;
use crate::service::{ConflictCode, IssuedKey, NewKey, Noun, Service, ServiceError};
use crate::store::{Change, EventKind, Expect, Write};

impl Service {
    /// Makes a user with a first API key, which is shown this once.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `username_taken`, `CustomerSuspended`, `Invalid`.
    pub async fn create_user(
        &self,
        actor: &Actor,
        new: NewUser,
        now: Timestamp,
    ) -> Result<(User, IssuedKey), ServiceError> {
        self.visible_customer(actor, &new.cid).await?;
        may(actor, Action::UserCreate, Scope::Customer(&new.cid), Noun::Customer)?;
        let hash = self.hash_password(new.password.as_ref()).await?;
        let mut rounds = Rounds::default();
        loop {
            let customer = self.visible_customer(actor, &new.cid).await?;
            let same_name = self.store().user_by_name(&new.cid, &new.username).await?;
            let roles = self.check_roles(&customer, &new.roles, &new.spaces).await?;
            let user = decide_create(&customer, same_name.as_ref(), &new, roles.roles.clone(), now)?;
            let identity = Identity::User(user.cid.clone(), user.id);
            let first = NewKey { label: "first key".to_owned(), lifetime: None };
            let issued = issue(identity.clone(), &first, self.settings(), now)?;
            let mut change = Change::at(now)
                .expect(Expect::CustomerActive(user.cid.clone()))
                .write(Write::InsertUser(user.clone()))
                .write(Write::InsertKey(issued.key.clone()))
                .event(of_user(&user, who(actor), EventKind::UserCreated, json!({})))
                .event(of_key(&issued.key, who(actor), EventKind::KeyIssued));
            if let Some(hash) = &hash {
                change = change.write(Write::SetPassword(identity, hash.clone()));
            }
            if self.commit(roles.expected(change), &mut rounds).await? {
                return Ok((user, issued));
            }
        }
    }
}

fn decide_create(
    customer: &Customer,
    same_name: Option<&User>,
    new: &NewUser,
    roles: Vec<RoleGrant>,
    now: Timestamp,
) -> Result<User, ServiceError> {
    writable(customer.lifecycle)?;
    check_name(&new.name)?;
    if same_name.is_some() {
        let message = format!("the customer has a user named {}: choose another name", new.username);
        return Err(ServiceError::conflict(ConflictCode::UsernameTaken, message));
    }
    Ok(User {
        id: UserId::new(),
        cid: customer.cid.clone(),
        username: new.username.clone(),
        name: new.name.clone(),
        email: new.email.clone(),
        enabled: new.enabled,
        roles,
        created_at: now,
        version: 1,
    })
}
