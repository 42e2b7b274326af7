//! A store in memory, for tests: as simple as can be, so that it can be believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::broadcast;

use super::{
    AcmeAccount, AcmeReads, Change, Commit, Committed, CustomerReads, Event, EventFilter, EventReads,
    Idempotent, Located, Mode, OrgReads, Page, PastHolder, PendingLogin, SealedSecret, SiteFacts, SiteReads,
    SpaceReads, StoreError, StoredSite, StoredStatus, StoredWebhook, WebhookReads,
};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, Lifecycle, Org, Space, User};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::lockout::{Failures, NameDigest};
use crate::metering::{Meter, UsageRecord};
use crate::name::{Cid, Email, Hostname, Slug, Username};
use crate::quota::Usage;
use crate::secret::SecretName;
use crate::site::{CertificateName, Site, SiteLifecycle, Spare, Tombstone};

mod apply;
mod check;
mod claims;
mod identities;
mod metering;
mod spares;

/// Holds everything in maps behind one lock; a change works on a copy, which takes their place when it is done.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    feed: broadcast::Sender<Committed>,
    desk: Mutex<claims::Desk>,
}

#[derive(Debug, Clone, Default)]
struct State {
    customers: BTreeMap<Cid, Customer>,
    orgs: BTreeMap<OrgId, Org>,
    spaces: BTreeMap<SpaceId, Space>,
    users: BTreeMap<UserId, User>,
    passwords: HashMap<Identity, String>,
    wrong_passwords: HashMap<NameDigest, Failures>,
    keys: BTreeMap<KeyId, ApiKey>,
    external_logins: BTreeMap<(String, String), ExternalLogin>,
    pending_logins: BTreeMap<[u8; 32], PendingLogin>,
    sites: BTreeMap<SiteId, (Site, Usage)>,
    past_domains: BTreeMap<Hostname, PastHolder>,
    statuses: BTreeMap<SiteId, StoredStatus>,
    secrets: BTreeMap<(SiteId, SecretName, u64), SealedSecret>,
    tombstones: BTreeMap<SiteId, Tombstone>,
    /// With the password while it is kept.
    spares: BTreeMap<SiteId, (Spare, Option<Vec<u8>>)>,
    meters: BTreeMap<SiteId, Vec<Meter>>,
    usage: Vec<UsageRecord>,
    events: Vec<Event>,
    webhooks: BTreeMap<WebhookId, StoredWebhook>,
    acme_accounts: BTreeMap<String, AcmeAccount>,
    issuances: BTreeSet<(CertificateName, Timestamp)>,
    idempotent: BTreeMap<(String, String), Idempotent>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), feed: broadcast::Sender::new(1024), desk: Mutex::default() }
    }
}

impl MemoryStore {
    /// Holds what the other holds now, in the place of what it held. Nobody is told.
    pub fn take_after(&self, other: &Self) {
        let state = other.state().clone();
        *self.state() = state;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, claims::Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Commit for MemoryStore {
    async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let mut state = self.state();
        let mut next = state.clone();
        let mode = change.mode;
        let committed = next.apply(change).map_err(StoreError::Violated)?;
        if mode == Mode::Commit {
            *state = next;
            // Nobody may be listening.
            drop(self.feed.send(committed.clone()));
        }
        Ok(committed)
    }

    fn feed(&self) -> broadcast::Receiver<Committed> {
        self.feed.subscribe()
    }
}

impl State {
    fn stored(&self, site: &Site) -> StoredSite {
        StoredSite { site: site.clone(), status: self.statuses.get(&site.id).cloned() }
    }

    fn facts(&self, site: &Site) -> SiteFacts {
        let status = self.statuses.get(&site.id);
        SiteFacts {
            site: site.clone(),
            customer: self.customers.get(&site.cid).map_or(Lifecycle::Purged, |customer| customer.lifecycle),
            org_name: self.orgs.get(&site.org).map(|org| org.name.clone()),
            founded: status.is_some_and(|status| status.founded),
            challenge: status.and_then(|status| status.status.challenge.clone()),
        }
    }

    fn usage(&self, of: impl Fn(&Site) -> bool) -> Usage {
        self.sites
            .values()
            .filter(|(site, _)| of(site))
            .fold(Usage::default(), |sum, (_, usage)| sum + *usage)
    }
}

/// The values after the page's key that pass, as many as fit.
fn page<'a, K: Ord, V>(
    map: &'a BTreeMap<K, V>,
    page: &Page<K>,
    pass: impl Fn(&V) -> bool + 'a,
) -> impl Iterator<Item = &'a V> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = page.after.as_ref().map_or(Unbounded, Excluded);
    map.range((from, Unbounded))
        .map(|(_, value)| value)
        .filter(move |value| pass(value))
        .take(page.limit.max(1))
}

fn same_address(a: &Email, b: &Email) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

pub(super) fn same_login(a: &Username, b: &Username) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

#[async_trait]
impl CustomerReads for MemoryStore {
    async fn customer(&self, cid: &Cid) -> Result<Option<Customer>, StoreError> {
        Ok(self.state().customers.get(cid).cloned())
    }

    async fn customer_by_username(&self, username: &Username) -> Result<Option<Customer>, StoreError> {
        Ok(self.state().customer_of_login(username).cloned())
    }

    async fn customers_by_email(&self, email: &Email, limit: usize) -> Result<Vec<Customer>, StoreError> {
        let is = |customer: &&Customer| {
            customer.lifecycle != Lifecycle::Purged && same_address(&customer.email, email)
        };
        Ok(self.state().customers.values().filter(is).take(limit).cloned().collect())
    }

    async fn customers(&self, at: &Page<Cid>) -> Result<Vec<Customer>, StoreError> {
        Ok(page(&self.state().customers, at, |_| true).cloned().collect())
    }

    async fn cids_beginning(&self, prefix: &str) -> Result<Vec<Cid>, StoreError> {
        Ok(self.state().customers.keys().filter(|cid| cid.as_str().starts_with(prefix)).cloned().collect())
    }

    async fn customers_to_purge(&self, now: Timestamp, limit: usize) -> Result<Vec<Cid>, StoreError> {
        let state = self.state();
        let mut due: Vec<_> = state
            .customers
            .values()
            .filter_map(|customer| match customer.lifecycle {
                Lifecycle::ToBeRemoved { purge_after, .. } if purge_after <= now => {
                    Some((purge_after, customer.cid.clone()))
                }
                _ => None,
            })
            .collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, cid)| cid).collect())
    }
}

#[async_trait]
impl OrgReads for MemoryStore {
    async fn org(&self, id: OrgId) -> Result<Option<Org>, StoreError> {
        Ok(self.state().orgs.get(&id).cloned())
    }

    async fn org_by_name(&self, cid: &Cid, name: &Slug) -> Result<Option<Org>, StoreError> {
        Ok(self.state().orgs.values().find(|org| org.cid == *cid && org.name == *name).cloned())
    }

    async fn orgs(&self, cid: &Cid, at: &Page<OrgId>) -> Result<Vec<Org>, StoreError> {
        Ok(page(&self.state().orgs, at, |org| org.cid == *cid).cloned().collect())
    }

    async fn org_usage(&self, org: OrgId) -> Result<Usage, StoreError> {
        Ok(self.state().usage(|site| site.org == org))
    }
}

#[async_trait]
impl SpaceReads for MemoryStore {
    async fn space(&self, id: SpaceId) -> Result<Option<Space>, StoreError> {
        Ok(self.state().spaces.get(&id).cloned())
    }

    async fn space_by_name(&self, org: OrgId, name: &Slug) -> Result<Option<Space>, StoreError> {
        Ok(self.state().spaces.values().find(|space| space.org == org && space.name == *name).cloned())
    }

    async fn spaces(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        at: &Page<SpaceId>,
    ) -> Result<Vec<Space>, StoreError> {
        let pass = |space: &Space| space.cid == *cid && org.is_none_or(|org| space.org == org);
        Ok(page(&self.state().spaces, at, pass).cloned().collect())
    }

    async fn space_usage(&self, space: SpaceId) -> Result<Usage, StoreError> {
        Ok(self.state().usage(|site| site.space == space))
    }
}

#[async_trait]
impl SiteReads for MemoryStore {
    async fn site(&self, id: SiteId) -> Result<Option<StoredSite>, StoreError> {
        let state = self.state();
        Ok(state.sites.get(&id).map(|(site, _)| state.stored(site)))
    }

    async fn located(
        &self,
        cid: &Cid,
        org: &Slug,
        space: &Slug,
        site: Option<&Slug>,
    ) -> Result<Located, StoreError> {
        let state = self.state();
        let Some(customer) = state.customers.get(cid).cloned() else { return Ok(Located::default()) };
        let org = state.orgs.values().find(|other| other.cid == *cid && other.name == *org).cloned();
        let id = org.as_ref().map(|org| org.id);
        let space =
            state.spaces.values().find(|other| Some(other.org) == id && other.name == *space).cloned();
        let site = id.zip(site).and_then(|(org, name)| state.site_of_name(org, name));
        let site = site.map(|site| state.stored(site));
        Ok(Located { customer: Some(customer), org, space, site })
    }

    async fn sites_in_space(&self, space: SpaceId, at: &Page<SiteId>) -> Result<Vec<StoredSite>, StoreError> {
        let state = self.state();
        let found = page(&state.sites, at, |(site, _)| site.space == space);
        Ok(found.map(|(site, _)| state.stored(site)).collect())
    }

    async fn sites_of(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        at: &Page<SiteId>,
    ) -> Result<Vec<Site>, StoreError> {
        let pass = |(site, _): &(Site, Usage)| site.cid == *cid && org.is_none_or(|org| site.org == org);
        Ok(page(&self.state().sites, at, pass).map(|(site, _)| site.clone()).collect())
    }

    async fn site_facts(&self, at: &Page<SiteId>) -> Result<Vec<SiteFacts>, StoreError> {
        let state = self.state();
        Ok(page(&state.sites, at, |_| true).map(|(site, _)| state.facts(site)).collect())
    }

    async fn site_facts_of(&self, id: SiteId) -> Result<Option<SiteFacts>, StoreError> {
        let state = self.state();
        Ok(state.sites.get(&id).map(|(site, _)| state.facts(site)))
    }

    async fn sites_wanting_code(&self, now: Timestamp, at: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        let wants = |(site, _): &(Site, Usage)| site.fetch_at().is_some_and(|at| at <= now);
        Ok(page(&self.state().sites, at, wants).map(|(site, _)| site.clone()).collect())
    }

    async fn sites_to_look_at(&self, now: Timestamp, at: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        let due = |(site, _): &(Site, Usage)| site.look_at().is_some_and(|at| at <= now);
        Ok(page(&self.state().sites, at, due).map(|(site, _)| site.clone()).collect())
    }

    async fn sites_scaling(&self, at: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        let scaling = |(site, _): &(Site, Usage)| site.is_scaling();
        Ok(page(&self.state().sites, at, scaling).map(|(site, _)| site.clone()).collect())
    }

    async fn site_of_domain(&self, domain: &Hostname) -> Result<Option<SiteId>, StoreError> {
        Ok(self.state().site_of_domain(domain).map(|site| site.id))
    }

    async fn past_holder(&self, domain: &Hostname) -> Result<Option<PastHolder>, StoreError> {
        Ok(self.state().past_domains.get(domain).cloned())
    }

    async fn tombstone(&self, id: SiteId) -> Result<Option<Tombstone>, StoreError> {
        Ok(self.state().tombstones.get(&id).cloned())
    }

    async fn passwords_to_hash(&self, limit: usize) -> Result<Vec<SealedSecret>, StoreError> {
        let state = self.state();
        let found = state.secrets.values().filter(|secret| secret.name == SecretName::AdminPassword);
        Ok(found.take(limit).cloned().collect())
    }

    async fn secret(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
    ) -> Result<Option<SealedSecret>, StoreError> {
        let state = self.state();
        let kept = state.secrets.get(&(site, name, version)).cloned();
        Ok(kept
            .or_else(|| state.spare_secret(site).filter(|kept| (kept.name, kept.version) == (name, version))))
    }
}

#[async_trait]
impl EventReads for MemoryStore {
    async fn events(&self, filter: &EventFilter, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let found = state.events.iter().filter(|event| event.seq > after && filter.matches(event));
        Ok(found.take(limit).cloned().collect())
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        Ok(self.state().events.last().map_or(0, |event| event.seq))
    }

    async fn idempotent(&self, principal: &str, key: &str) -> Result<Option<Idempotent>, StoreError> {
        Ok(self.state().idempotent.get(&(principal.to_owned(), key.to_owned())).cloned())
    }
}

#[async_trait]
impl WebhookReads for MemoryStore {
    async fn webhook(&self, id: WebhookId) -> Result<Option<StoredWebhook>, StoreError> {
        Ok(self.state().webhooks.get(&id).cloned())
    }

    async fn webhooks(&self, at: &Page<WebhookId>) -> Result<Vec<StoredWebhook>, StoreError> {
        Ok(page(&self.state().webhooks, at, |_| true).cloned().collect())
    }
}

#[async_trait]
impl AcmeReads for MemoryStore {
    async fn acme_account(&self, directory: &str) -> Result<Option<AcmeAccount>, StoreError> {
        Ok(self.state().acme_accounts.get(directory).cloned())
    }

    async fn issuances(&self, after: Timestamp) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut counts = BTreeMap::new();
        for (name, _) in self.state().issuances.iter().filter(|(_, at)| *at > after) {
            *counts.entry(name.registered().to_owned()).or_default() += 1;
        }
        Ok(counts)
    }
}

/// Whether a site is in the way of its space's removal at this time.
fn is_kept(site: &Site, at: Timestamp) -> bool {
    match site.lifecycle {
        SiteLifecycle::Live => true,
        SiteLifecycle::Deleting { purge_after, .. } => purge_after > at,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::Store;

    #[tokio::test(flavor = "multi_thread")]
    async fn conforms() {
        crate::store::conformance::all(async || Arc::new(MemoryStore::default()) as Arc<dyn Store>).await;
    }
}
