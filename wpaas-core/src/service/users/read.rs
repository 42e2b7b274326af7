use crate::access::{Access, Action, Actor, Scope, decide};
use crate::account::User;
use crate::id::UserId;
use crate::name::{Cid, Username};
use crate::service::commit::may;
use crate::service::visible::visible;
use crate::service::{Listed, Noun, Page, Service, ServiceError};

impl Service {
    /// One user.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn user(&self, actor: &Actor, cid: &Cid, username: &Username) -> Result<User, ServiceError> {
        self.visible_customer(actor, cid).await?;
        self.user_for(actor, Action::UserRead, cid, username).await
    }

    /// Those of a customer's users that the actor may see.
    ///
    /// # Errors
    ///
    /// `NotFound` for a customer that the actor may not see.
    pub async fn users(
        &self,
        actor: &Actor,
        cid: &Cid,
        page: Page<UserId>,
    ) -> Result<Listed<User, UserId>, ServiceError> {
        self.visible_customer(actor, cid).await?;
        let passes =
            |user: &User| decide(actor, Action::UserRead, Scope::User(cid, user.id)) == Access::Allowed;
        let read = |piece| async move { self.store().users(cid, &piece).await };
        visible(page, |user| user.id, passes, read).await
    }

    /// The user of this name, if the actor may do this to it.
    pub(super) async fn user_for(
        &self,
        actor: &Actor,
        action: Action,
        cid: &Cid,
        username: &Username,
    ) -> Result<User, ServiceError> {
        let found = self.store().user_by_name(cid, username).await?;
        let found = found.ok_or(ServiceError::not_found(Noun::User))?;
        may(actor, action, Scope::User(cid, found.id), Noun::User)?;
        Ok(found)
    }
}
