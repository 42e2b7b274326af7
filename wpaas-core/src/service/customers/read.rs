use crate::access::{Action, Actor, Scope};
use crate::account::Customer;
use crate::name::Cid;
use crate::service::commit::may;
use crate::service::{Listed, Noun, Page, Service, ServiceError};

impl Service {
    /// One customer.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub async fn customer(&self, actor: &Actor, cid: &Cid) -> Result<Customer, ServiceError> {
        may(actor, Action::CustomerRead, Scope::Customer(cid), Noun::Customer)?;
        let found = self.store().customer(cid).await?;
        found.ok_or(ServiceError::not_found(Noun::Customer))
    }

    /// All customers in the order of their ids; only for the operator.
    ///
    /// # Errors
    ///
    /// `Forbidden`.
    pub async fn customers(
        &self,
        actor: &Actor,
        page: Page<Cid>,
    ) -> Result<Listed<Customer, Cid>, ServiceError> {
        may(actor, Action::CustomerList, Scope::System, Noun::Customer)?;
        let (page, limit) = page.and_one();
        let found = self.store().customers(&page).await?;
        Ok(Listed::cut(found, limit, |customer| customer.cid.clone()))
    }
}
