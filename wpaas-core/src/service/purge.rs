use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_customer, of_org, of_site, of_space, of_user};
use super::sites::usage;
use super::{Page, Service, ServiceError};
use crate::account::{Customer, Identity, Lifecycle, Payment};
use crate::name::{Cid, Email, Username};
use crate::site::{Site, SiteLifecycle};
use crate::store::{Change, EventKind, Expect, Record, StoreError, Who, Write};

/// Of what is removed in one transaction.
const PIECE: usize = 200;

/// How far a customer's removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purge {
    /// Its sites wait for the backend to remove what runs and what is kept; ask again later.
    Waiting {
        /// How many.
        sites: usize,
    },
    /// Something was removed and there is more; ask again at once.
    More,
    /// Nothing is left but the customer's record, which keeps its id.
    Done,
}

impl Service {
    /// The customers whose deletion's grace is over, the earliest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn customers_to_purge(&self, limit: usize, now: Timestamp) -> Result<Vec<Cid>, ServiceError> {
        Ok(self.store().customers_to_purge(now, limit).await?)
    }

    /// Takes a customer's removal one step on: sites, then spaces, orgs, users, and the customer's own data
    /// last. Each step is one transaction and is found by what is there, so that a crash at any point leaves
    /// nothing to recover: the next call goes on.
    ///
    /// # Errors
    ///
    /// `Unavailable`. Nothing happens to a customer whose grace is not over.
    pub async fn purge_customer(&self, cid: &Cid, now: Timestamp) -> Result<Purge, ServiceError> {
        let Some(customer) = self.store().customer(cid).await? else { return Ok(Purge::Done) };
        if !matches!(customer.lifecycle, Lifecycle::ToBeRemoved { purge_after, .. } if purge_after <= now) {
            return Ok(Purge::Done);
        }
        let sites = self.store().sites_of(cid, None, &Page::first(PIECE)).await?;
        let change = if sites.is_empty() {
            self.removal(&customer, now).await?
        } else {
            Some(without_sites(&sites, self.settings(), now)).filter(|change| !change.is_empty())
        };
        let Some(change) = change else { return Ok(Purge::Waiting { sites: sites.len() }) };
        // A server whose clock is late may still let the deletion be cancelled.
        let change = change.expect(Expect::Version(Record::Customer(cid.clone()), customer.version));
        let is_last = change.writes.iter().any(|write| matches!(write, Write::UpdateCustomer(_)));
        let mut rounds = Rounds::default();
        let done = self.commit(change, &mut rounds).await?;
        Ok(if done && is_last { Purge::Done } else { Purge::More })
    }

    /// The next thing to remove of a customer without sites, from the inside out.
    async fn removal(&self, customer: &Customer, now: Timestamp) -> Result<Option<Change>, StoreError> {
        let cid = &customer.cid;
        let mut change = Change::at(now);
        for space in self.store().spaces(cid, None, &Page::first(PIECE)).await? {
            let event = of_space(&space, Who::System, EventKind::SpaceDeleted, json!({ "name": space.name }));
            change = change.write(Write::DeleteSpace(space.id, space.version)).event(event);
        }
        if !change.is_empty() {
            return Ok(Some(change));
        }
        for org in self.store().orgs(cid, &Page::first(PIECE)).await? {
            let event = of_org(&org, Who::System, EventKind::OrgDeleted, json!({ "name": org.name }));
            change = change.write(Write::DeleteOrg(org.id, org.version)).event(event);
        }
        for user in self.store().users(cid, &Page::first(PIECE)).await? {
            let event = of_user(&user, Who::System, EventKind::UserDeleted, json!({}));
            change = change.write(Write::DeleteUser(user.id, user.version)).event(event);
        }
        Ok(Some(if change.is_empty() { farewell(customer, now) } else { change }))
    }
}

/// All sites' data goes, protected or not; those that wait for the backend already are left alone.
fn without_sites(sites: &[Site], settings: &super::Settings, now: Timestamp) -> Change {
    let mut change = Change::at(now);
    for site in sites {
        let since = match site.lifecycle {
            SiteLifecycle::Live => now,
            SiteLifecycle::Deleting { purge_after, .. } if purge_after <= now => continue,
            SiteLifecycle::Deleting { since, .. } => since,
        };
        let mut gone = site.clone();
        gone.generation += 1;
        gone.version += 1;
        gone.lifecycle = SiteLifecycle::Deleting { since, purge_after: now };
        let event = of_site(&gone, Who::System, EventKind::SiteDeleted, json!({ "purge_after": now }));
        let usage = usage(&gone, settings);
        change = change.write(Write::UpdateSite(gone, usage)).event(event);
    }
    change
}

/// Nothing personal stays: the record only keeps the id from being given again.
fn farewell(customer: &Customer, now: Timestamp) -> Change {
    let purged = Customer {
        name: customer.cid.to_string(),
        email: Email::nobody(),
        username: Username::nobody(),
        payment: Payment::default(),
        payment_accounts: BTreeMap::new(),
        lifecycle: Lifecycle::Purged,
        cid: customer.cid.clone(),
        plan: customer.plan,
        created_at: customer.created_at,
        version: customer.version + 1,
    };
    let event = of_customer(&purged, Who::System, EventKind::CustomerPurged, json!({}));
    Change::at(now)
        .write(Write::DeleteCredentials(Identity::Customer(customer.cid.clone())))
        .write(Write::UpdateCustomer(purged))
        .event(event)
}
