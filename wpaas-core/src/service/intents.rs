use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::commit::{Rounds, of_site};
use super::{Noun, Service, ServiceError, Settings, SiteView};
use crate::account::Version;
use crate::converge::{
    Act, Candidate, Ends, Intent, Intents, IntentsError, Preview, ReleaseRef, Run, RunIntent, TlsCertificate,
    TlsIntent, Verdict, Wanted,
};
use crate::id::SiteId;
use crate::metering::Look;
use crate::name::Cid;
use crate::secret::{SecretName, SecretRef};
use crate::site::{
    CertificateName, Condition, ConditionKind, Generation, Proof, Release, Site, SiteLifecycle, SiteNames,
    SiteStatus, Tombstone, Truth,
};
use crate::store::{
    Change, Committed, EventKind, NewEvent, Page, SiteFacts, StoreError, StoredSite, StoredStatus, Who, Write,
};

/// Of a customer's sites that are told of at once.
const PIECE: usize = 500;

/// Sites metered in one change: what is asked of the API meanwhile waits for no more of them.
const LOOKS: usize = 25;

/// Where the converger learns from the store what is wanted, and leaves what it found.
#[derive(Debug, Clone)]
pub struct StoreIntents {
    service: Service,
    clock: fn() -> Timestamp,
}

impl StoreIntents {
    /// With another clock, which decides when a grace is over.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    fn intent(&self, facts: &SiteFacts) -> Intent {
        intent(facts, self.service.settings(), self.service.challenge(), (self.clock)())
    }
}

#[async_trait]
impl Intents for StoreIntents {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        let facts = self.service.store().site_facts(&Page { after, limit }).await.map_err(unreadable)?;
        Ok(facts.iter().map(|facts| self.intent(facts)).collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        let store = self.service.store();
        if let Some(facts) = store.site_facts_of(site).await.map_err(unreadable)? {
            return Ok(Some(self.intent(&facts)));
        }
        let purged = store.tombstone(site).await.map_err(unreadable)?;
        Ok(purged.map(|stone| Intent {
            site,
            generation: stone.generation,
            version: Version::MAX,
            epoch: EPOCH,
            wanted: Wanted::Gone,
        }))
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        let store = self.service.store();
        let Some(stored) = store.site(site).await.map_err(unreadable)? else { return Ok(()) };
        let now = (self.clock)();
        let Some(merged) = merge(stored.status.as_ref(), status, now) else { return Ok(()) };
        let mut change = Change::at(now).aside();
        change.events = transitions(&stored, &merged.status);
        change.writes.push(Write::RecordStatus(site, Box::new(merged)));
        store.commit(change).await.map(drop).map_err(unreadable)
    }

    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError> {
        let done = self.service.judge_release(site, verdict, (self.clock)()).await;
        done.map_err(|error| IntentsError(Box::new(error)))
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        let done = self.service.purge_site(site, (self.clock)()).await;
        done.map_err(|error| IntentsError(Box::new(error)))
    }

    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError> {
        for looks in looks.chunks(LOOKS) {
            self.service.meter(looks, (self.clock)()).await.map_err(unreadable)?;
        }
        Ok(())
    }

    async fn acted(&self, site: SiteId, generation: Generation, acts: Vec<Act>) -> Result<(), IntentsError> {
        let store = self.service.store();
        let Some(StoredSite { site, .. }) = store.site(site).await.map_err(unreadable)? else {
            return Ok(());
        };
        let detail = json!({ "generation": generation, "steps": acts });
        let event = of_site(&site, Who::System, EventKind::SiteStepsTaken, detail);
        store.commit(Change::at((self.clock)()).aside().event(event)).await.map(drop).map_err(unreadable)
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        let service = self.service.clone();
        let hints = stream::unfold((service.clone(), service.feed()), async |(service, mut feed)| {
            let sites = match feed.recv().await {
                Ok(committed) => service.sites_of_commit(committed).await,
                // What was missed is found by the next resync.
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return None,
            };
            Some((stream::iter(sites), (service, feed)))
        });
        hints.flatten().boxed()
    }
}

#[async_trait]
impl Ends for StoreIntents {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        let now = (self.clock)();
        let look = Look { site, seen_at: now, complete: false, runs: vec![run], others: Vec::new() };
        self.service.meter(&[look], now).await.map_err(unreadable)
    }
}

/// One server plans, until claims tell them apart.
const EPOCH: u64 = 1;

fn unreadable(error: StoreError) -> IntentsError {
    IntentsError(Box::new(error))
}

impl Service {
    /// What the converger is built with.
    #[must_use]
    pub fn intents(&self) -> StoreIntents {
        StoreIntents { service: self.clone(), clock: Timestamp::now }
    }

    /// What is wanted of a site as it is shown: what a dry run plans from.
    #[must_use]
    pub fn intent_of(&self, view: &SiteView, now: Timestamp) -> Intent {
        let facts = SiteFacts {
            site: view.site.clone(),
            customer: view.customer,
            org_name: Some(view.org_name.clone()),
            founded: view.status.as_ref().is_some_and(|status| status.founded),
            challenge: view.status.as_ref().and_then(|status| status.status.challenge.clone()),
        };
        intent(&facts, self.settings(), self.challenge(), now)
    }

    async fn meter(&self, looks: &[Look], now: Timestamp) -> Result<(), StoreError> {
        let sizes = self.settings().volumes;
        let mut change = Change::at(now).aside();
        change.writes = looks.iter().map(|look| Write::Meter(look.clone(), sizes)).collect();
        if change.is_empty() {
            return Ok(());
        }
        self.store().commit(change).await.map(drop)
    }

    async fn purge_site(&self, id: SiteId, now: Timestamp) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(StoredSite { site, .. }) = self.store().site(id).await? else { return Ok(()) };
            if !is_over(&site, now) {
                return Err(ServiceError::not_found(Noun::Site));
            }
            let stone = Tombstone {
                id,
                cid: site.cid.clone(),
                org: site.org,
                generation: site.generation,
                purged_at: now,
            };
            let event = of_site(&site, Who::System, EventKind::SitePurged, json!({ "name": site.name }));
            // What was never told to have ended counts up to when it was last seen.
            let last = Look { site: id, seen_at: now, complete: true, runs: Vec::new(), others: Vec::new() };
            let change = Change::at(now)
                .write(Write::Meter(last, self.settings().volumes))
                .write(Write::PurgeSite(stone, site.version))
                .event(event);
            if self.commit(change, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// The sites of which something else may be wanted after a commit.
    async fn sites_of_commit(&self, committed: Committed) -> Vec<SiteId> {
        let mut sites = committed.sites;
        for cid in committed.customers {
            match self.sites_of_customer(&cid).await {
                Ok(more) => sites.extend(more),
                Err(error) => tracing::warn!(%cid, %error, "a customer's sites wait for the next resync"),
            }
        }
        sites
    }

    async fn sites_of_customer(&self, cid: &Cid) -> Result<Vec<SiteId>, StoreError> {
        let mut page = Page::first(PIECE);
        let mut all = Vec::new();
        loop {
            let sites = self.store().sites_of(cid, None, &page).await?;
            all.extend(sites.iter().map(|site| site.id));
            page.after = all.last().copied();
            if sites.len() < PIECE {
                return Ok(all);
            }
        }
    }
}

/// Whether a site's grace is over.
fn is_over(site: &Site, now: Timestamp) -> bool {
    matches!(site.lifecycle, SiteLifecycle::Deleting { purge_after, .. } if purge_after <= now)
}

/// What is wanted of a site. Pure.
fn intent(facts: &SiteFacts, settings: &Settings, challenge: Option<String>, now: Timestamp) -> Intent {
    let SiteFacts { site, org_name, customer: _, founded, challenge: _ } = facts;
    let wanted = match org_name {
        _ if is_over(site, now) => Wanted::Gone,
        Some(org) if facts.is_live() => {
            // A platform name that is too long is refused at creation: then the site has its address alone.
            let names = settings.names_of(site, org);
            let tls = names.as_ref().and_then(|names| tls(site, names, settings, challenge, now));
            Wanted::Run(run(site, names.as_ref(), tls.unwrap_or_default(), *founded))
        }
        // A live site without its org is not made by any change; its data is kept all the same.
        _ => Wanted::Rest,
    };
    Intent { site: site.id, generation: site.generation, version: site.version, epoch: EPOCH, wanted }
}

fn run(site: &Site, names: Option<&SiteNames>, tls: TlsIntent, was_founded: bool) -> RunIntent {
    let spec = &site.spec;
    let (aliases, previews) = names.map(|names| routes(site, names)).unwrap_or_default();
    RunIntent {
        wordpress: u8::try_from(site.instances()).unwrap_or(u8::MAX),
        database: spec.database,
        release: release(site),
        candidate: candidate(site).map(Box::new),
        refused: refused(site).map(Into::into),
        authorities: names
            .map(SiteNames::authorities)
            .unwrap_or_default()
            .into_iter()
            .chain(aliases)
            .collect(),
        previews: previews.into(),
        redirects: names.map(SiteNames::redirects).unwrap_or_default().into(),
        tls,
        home: names.and_then(SiteNames::home).map(Into::into),
        title: spec.title.clone(),
        admin_user: spec.admin.username.clone(),
        admin_email: spec.admin.email.clone(),
        admin_version: spec.admin.password_version,
        was_founded,
    }
}

/// The certificates that are valid now, and what redirects to HTTPS by them; `None` where sites have none.
fn tls(
    site: &Site,
    names: &SiteNames,
    settings: &Settings,
    challenge: Option<String>,
    now: Timestamp,
) -> Option<TlsIntent> {
    let rules = settings.certificates?;
    let valid = |name: &CertificateName| {
        let issued = site.certificates.get(name).issued.filter(|issued| issued.is_valid(now))?;
        let secret = SecretRef { site: site.id, name: SecretName::Certificate, version: issued.version };
        let hosts = || names.all_hosts().filter(|host| name.covers(host));
        let max_age = site.spec.features.hsts.filter(|_| names.at_usual_ports()).map(|hsts| hsts.max_age);
        Some(TlsCertificate {
            secret,
            redirects: hosts().filter_map(|host| names.secured(host)).collect(),
            strict: max_age
                .into_iter()
                .flat_map(|age| hosts().map(move |it| (it.to_string(), age)))
                .collect(),
        })
    };
    let certificates = rules.wanted(site, names).iter().filter_map(valid).collect();
    Some(TlsIntent { challenge: challenge.map(Into::into), certificates })
}

/// The last release that has proved itself is served until the one that is wanted has.
fn release(site: &Site) -> Option<ReleaseRef> {
    match site.releases.serving() {
        _ if site.spec.code.is_none() => Some(ReleaseRef::Stock),
        Some(release) => Some(reference(release)),
        None if site.code.keeps_stock => Some(ReleaseRef::Stock),
        None => None,
    }
}

const fn reference(release: &Release) -> ReleaseRef {
    ReleaseRef::Stored { digest: release.digest, layout: release.layout }
}

fn candidate(site: &Site) -> Option<Candidate> {
    let candidate = site.releases.candidate().filter(|_| site.spec.code.is_some())?;
    Some(Candidate {
        id: candidate.id,
        release: reference(candidate),
        restores: candidate.restores,
        changes: candidate.changes,
    })
}

fn refused(site: &Site) -> Option<String> {
    match site.releases.refused().filter(|_| site.spec.code.is_some()) {
        Some(Release { id, proof: Proof::Failed { reason, .. }, .. }) => Some(format!("{id}: {reason}")),
        _ => None,
    }
}

/// More names of what is served, and the names of other releases, each release once.
fn routes(site: &Site, names: &SiteNames) -> (Vec<String>, Vec<Preview>) {
    let served = release(site);
    let (mut aliases, mut previews): (_, Vec<Preview>) = (Vec::new(), Vec::new());
    for (route, shown) in &site.spec.routes {
        let names = names.of_route(route);
        let Some(release) = shown.release.and_then(|id| site.releases.get(id)).map(reference) else {
            // A release that is gone shows nothing: its name must not show another.
            if shown.release.is_none() {
                aliases.extend(names);
            }
            continue;
        };
        match previews.iter_mut().find(|preview| preview.release == release) {
            _ if served == Some(release) => aliases.extend(names),
            Some(preview) => preview.names.extend(names),
            None => previews.push(Preview { names, release }),
        }
    }
    (aliases, previews)
}

/// What is kept of what was found; `None` when nothing differs from what is kept already. A loss of data stays said,
/// though the site serves again, until somebody changes the site.
fn merge(before: Option<&StoredStatus>, found: &SiteStatus, now: Timestamp) -> Option<StoredStatus> {
    // Of a server that has not read the newest spec yet.
    if before.is_some_and(|before| before.status.observed_generation > found.observed_generation) {
        return None;
    }
    let mut status = found.clone();
    for condition in &mut status.conditions {
        let same = before
            .and_then(|before| before.status.condition(condition.kind))
            .filter(|before| before.status == condition.status);
        if let Some(same) = same {
            condition.since = same.since;
        }
    }
    // A gateway that answers goes on answering: a look that could not tell takes nothing back.
    if status.challenge.is_none() && status.has_gateway() {
        status.challenge = before.and_then(|before| before.status.challenge.clone());
    }
    let lost = before
        .map(|before| &before.status)
        .filter(|old| old.observed_generation == status.observed_generation);
    let lost = lost.and_then(|old| old.condition(ConditionKind::PossibleDataLoss));
    if let Some(lost) = lost.filter(|lost| lost.status == Truth::True) {
        for condition in status.conditions.iter_mut().filter(|condition| condition.kind == lost.kind) {
            condition.clone_from(lost);
        }
    }
    let ready =
        status.condition(ConditionKind::DatabaseReady).is_some_and(|ready| ready.status == Truth::True);
    let founded = ready || before.is_some_and(|before| before.founded);
    if before.is_some_and(|before| before.status == status && before.founded == founded) {
        return None;
    }
    Some(StoredStatus { status, founded, recorded_at: now })
}

/// An event for each condition whose status changed, so that the audit tells what the converger saw and why; and for
/// each new reason why the database is not ready: some ask a person to choose.
fn transitions(stored: &StoredSite, status: &SiteStatus) -> Vec<NewEvent> {
    let before = |kind| stored.status.as_ref().and_then(|before| before.status.condition(kind));
    let changed = |condition: &&Condition| match before(condition.kind) {
        Some(before) => {
            let reason = condition.kind == ConditionKind::DatabaseReady && before.reason != condition.reason;
            before.status != condition.status || reason
        }
        None => condition.status == Truth::True,
    };
    let tell = |condition: &Condition| {
        let detail = json!({
            "condition": condition.kind,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
        });
        of_site(&stored.site, Who::System, EventKind::SiteConditionChanged, detail)
    };
    status.conditions.iter().filter(changed).map(tell).collect()
}

#[cfg(test)]
mod tests;
