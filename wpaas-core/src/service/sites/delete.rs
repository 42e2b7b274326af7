use jiff::Timestamp;
use serde_json::json;

use super::update::{next, raise, rewrite};
use super::{SitePath, SiteView};
use crate::access::{Action, Actor};
use crate::account::Customer;
use crate::service::commit::{Rounds, of_site, who, writable};
use crate::service::{ConflictCode, Grace, IfMatch, Service, ServiceError};
use crate::site::{Site, SiteLifecycle};
use crate::store::{EventKind, Mode, StoredSite};

impl Service {
    /// Deletes a site: what runs goes now, the data when the grace is over. Deleting again can only shorten
    /// the grace.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `site_protected`, `CustomerSuspended`, `VersionMismatch`.
    pub async fn delete_site(
        &self,
        actor: &Actor,
        path: &SitePath,
        grace: Grace,
        if_match: IfMatch,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        let end = grace.end(now, self.settings().site_grace, self.settings().max_grace)?;
        let mut rounds = Rounds::default();
        loop {
            let (at, stored) = self.find(actor, Action::SiteDelete, path).await?;
            if_match.check(stored.site.generation)?;
            writable(at.customer.lifecycle)?;
            let Some(mut site) = decide_delete(&stored.site, end, now)? else {
                return self.view(&at, stored);
            };
            raise(&mut site, &stored);
            let event = of_site(&site, who(actor), EventKind::SiteDeleted, json!({ "purge_after": end }));
            let mut change = rewrite(&site, self.settings(), now).event(event);
            change.mode = mode;
            if self.commit(change, &mut rounds).await? {
                return self.view(&at, StoredSite { site, status: stored.status });
            }
        }
    }

    /// Takes a deletion back, while its grace lasts.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `not_in_deletion`, `QuotaExceeded`, `CustomerSuspended`.
    pub async fn restore_site(
        &self,
        actor: &Actor,
        path: &SitePath,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let (at, stored) = self.find(actor, Action::SiteDelete, path).await?;
            let mut site = decide_restore(&at.customer, &stored.site, now)?;
            raise(&mut site, &stored);
            let detail = json!({ "generation": site.generation });
            let event = of_site(&site, who(actor), EventKind::SiteRestored, detail);
            let mut change = rewrite(&site, self.settings(), now).event(event);
            change.mode = mode;
            if self.commit(change, &mut rounds).await? {
                return self.view(&at, StoredSite { site, status: stored.status });
            }
        }
    }
}

/// The site as it will be; `None` when nothing changes.
pub(in crate::service) fn decide_delete(
    site: &Site,
    purge_after: Timestamp,
    now: Timestamp,
) -> Result<Option<Site>, ServiceError> {
    let since = match site.lifecycle {
        SiteLifecycle::Live if site.spec.deletion_protection => {
            let message =
                format!("the site {} is protected: set deletion_protection to false first", site.name);
            return Err(ServiceError::conflict(ConflictCode::SiteProtected, message));
        }
        SiteLifecycle::Live => now,
        SiteLifecycle::Deleting { purge_after: before, .. } if before <= purge_after => return Ok(None),
        SiteLifecycle::Deleting { since, .. } => since,
    };
    let mut site = next(site);
    site.lifecycle = SiteLifecycle::Deleting { since, purge_after };
    Ok(Some(site))
}

fn decide_restore(customer: &Customer, site: &Site, now: Timestamp) -> Result<Site, ServiceError> {
    writable(customer.lifecycle)?;
    let not = |why| Err(ServiceError::conflict(ConflictCode::NotInDeletion, why));
    match site.lifecycle {
        SiteLifecycle::Live => not("the site is not deleted, so there is nothing to restore"),
        SiteLifecycle::Deleting { purge_after, .. } if purge_after <= now => {
            not("the grace is over: the site's data is going away and can't be restored")
        }
        SiteLifecycle::Deleting { .. } => {
            let mut site = next(site);
            site.lifecycle = SiteLifecycle::Live;
            Ok(site)
        }
    }
}

#[cfg(test)]
mod tests;
