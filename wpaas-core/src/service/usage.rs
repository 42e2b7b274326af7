use super::commit::may;
use super::events::MOST;
use super::{Listed, Noun, Service, ServiceError, UsageFilter, UsageRecord, UsageSum};
use crate::access::{Action, Actor, Scope};
use crate::defaults;
use crate::id::OrgId;
use crate::name::Cid;

impl Service {
    /// What was used, a record after the other, from the one after the number `after` on, at most `limit`. An org
    /// that was deleted still has its records.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn usage_records(
        &self,
        actor: &Actor,
        filter: &UsageFilter,
        after: u64,
        limit: usize,
    ) -> Result<Listed<UsageRecord, u64>, ServiceError> {
        self.may_read_usage(actor, filter).await?;
        let limit = limit.clamp(1, MOST);
        let found = self.store().usage_records(filter, after, limit + 1).await?;
        Ok(Listed::cut(found, limit, |record| record.seq))
    }

    /// The sums of what was used of each kind.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn usage_sums(
        &self,
        actor: &Actor,
        filter: &UsageFilter,
    ) -> Result<Vec<UsageSum>, ServiceError> {
        self.may_read_usage(actor, filter).await?;
        Ok(self.store().usage_sums(filter).await?)
    }

    async fn may_read_usage(&self, actor: &Actor, filter: &UsageFilter) -> Result<(), ServiceError> {
        let action = Action::UsageRead;
        match (&filter.cid, filter.org) {
            (Some(cid), Some(org)) => {
                may(actor, action, Scope::Org(cid, org), Noun::Org)?;
                self.had_org(cid, org).await
            }
            (Some(cid), None) => {
                may(actor, action, Scope::Customer(cid), Noun::Customer)?;
                let found = self.store().customer(cid).await?;
                found.map(drop).ok_or(ServiceError::not_found(Noun::Customer))
            }
            (None, _) => may(actor, action, Scope::System, Noun::Usage),
        }
    }

    /// Whether the customer has this org, or had it when something was used there. The default one may not be stored
    /// yet.
    async fn had_org(&self, cid: &Cid, org: OrgId) -> Result<(), ServiceError> {
        let found = self.store().org(org).await?;
        if found.is_some_and(|found| found.cid == *cid) || org == defaults::org_id(cid) {
            return Ok(());
        }
        let there = UsageFilter { cid: Some(cid.clone()), org: Some(org), ..UsageFilter::default() };
        let used = self.store().usage_records(&there, 0, 1).await?;
        if used.is_empty() { Err(ServiceError::not_found(Noun::Org)) } else { Ok(()) }
    }
}
