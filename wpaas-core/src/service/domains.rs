//! The claims of sites on domains: which are to be looked at, and what became of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::json;

use super::commit::{Rounds, of_site, writable};
use super::{Page, Service, ServiceError, Settings, SitePath};
use crate::access::{Action, Actor};
use crate::id::SiteId;
use crate::name::Hostname;
use crate::site::{AddressKind, DnsRecord, DomainClaim, DomainLook, DomainWants, Site, SiteNames};
use crate::store::{Change, EventKind, NewEvent, StoredSite, StoredStatus, Who, Write};

mod show;

pub(super) use show::show;

/// A domain that a site asks for, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainView {
    /// Which.
    pub domain: Hostname,
    /// How far the site's claim is.
    pub claim: DomainClaim,
    /// What can be set in DNS to prove it, and to lead visitors to the site.
    pub records: Vec<DnsRecord>,
}

/// What is known of a claim now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainEvidence {
    /// DNS was asked.
    Look(DomainLook),
    /// The platform asks for no proof.
    Trusted,
}

/// Claims of one site that are to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimsToLookAt {
    /// Whose.
    pub site: SiteId,
    /// What DNS is to say of each.
    pub wants: Vec<DomainWants>,
}

/// A site was found to have a proof for a domain that another one has: now that one's is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// Who has it.
    pub holder: SiteId,
    /// What DNS is to say, if the holder is to keep it.
    pub wants: DomainWants,
}

impl Service {
    /// The live sites after `after` of which a claim is due, each with all its claims.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn claims_due(
        &self,
        after: Option<SiteId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ClaimsToLookAt>, ServiceError> {
        let sites = self.store().sites_to_look_at(now, &Page { after, limit }).await?;
        let mut due = Vec::with_capacity(sites.len());
        for site in sites {
            due.push(self.claims_of(site.id).await?);
        }
        Ok(due)
    }

    /// All claims of a site, for somebody who wants them looked at now, which may change them.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`.
    pub async fn claims_to_check(
        &self,
        actor: &Actor,
        path: &SitePath,
    ) -> Result<ClaimsToLookAt, ServiceError> {
        let (at, StoredSite { site, .. }) = self.find(actor, Action::SiteUpdate, path).await?;
        writable(at.customer.lifecycle)?;
        self.claims_of(site.id).await
    }

    /// All claims of a site; none when it is gone.
    async fn claims_of(&self, id: SiteId) -> Result<ClaimsToLookAt, ServiceError> {
        let Some(facts) = self.store().site_facts_of(id).await? else {
            return Ok(ClaimsToLookAt { site: id, wants: Vec::new() });
        };
        let status = self.store().site(id).await?.and_then(|stored| stored.status);
        let names = facts.org_name.as_ref().and_then(|org| self.settings().names_of(&facts.site, org));
        let address = reached_at(&facts.site, status.as_ref(), self.settings());
        let wants = names.iter().flat_map(|names| {
            let claims = facts.site.domains.iter();
            claims.map(|(domain, _)| DomainWants::new(domain.clone(), &facts.site, names, address))
        });
        Ok(ClaimsToLookAt { site: id, wants: wants.collect() })
    }

    /// Keeps what was found of a site's claims. A domain that another site has stays that one's, unless its claim
    /// yields; what is to be looked at then is returned. `contested`: another site has a proof for these.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn record_evidence(
        &self,
        site: SiteId,
        found: &[(DomainWants, DomainEvidence)],
        contested: bool,
        now: Timestamp,
    ) -> Result<Vec<Contest>, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(StoredSite { site: before, .. }) = self.store().site(site).await? else {
                return Ok(Vec::new());
            };
            let mut judged = Judged { after: before.clone(), losers: BTreeMap::new(), contests: Vec::new() };
            judged.after.version += 1;
            for (wants, evidence) in found {
                let claim = judged.claim(wants, evidence, contested, now);
                let claim = match claim {
                    Some(claim) if claim.is_held() => self.given(&mut judged, wants, claim, now).await?,
                    Some(claim) => claim,
                    None => continue,
                };
                judged.after.domains.set(wants.domain(), claim);
            }
            if self.commit(judged.change(&before, self.settings(), now), &mut rounds).await? {
                return Ok(judged.contests);
            }
        }
    }

    /// The claim that is proved, unless the domain stays another site's.
    async fn given(
        &self,
        judged: &mut Judged,
        wants: &DomainWants,
        claim: DomainClaim,
        now: Timestamp,
    ) -> Result<DomainClaim, ServiceError> {
        let domain = wants.domain();
        let mine = judged.after.domains.get(domain).cloned();
        let holder = self.store().site_of_domain(domain).await?;
        if let Some(mine) = &mine
            && !mine.is_held()
            && let Some(until) = self.held_by_another_until(&judged.after, domain, holder, now).await?
            && claim.is_doubtful(until, now)
        {
            return Ok(mine.doubted(now));
        }
        let Some(holder) = holder.filter(|holder| *holder != judged.after.id) else { return Ok(claim) };
        let stored = match judged.losers.get(&holder) {
            Some((_, loser)) => Some(loser.clone()),
            None => self.store().site(holder).await?.map(|stored| stored.site),
        };
        let Some(mut other) = stored else { return Ok(claim) };
        let Some(theirs) = other.domains.get(domain) else { return Ok(claim) };
        if claim.proof.is_some_and(|proof| theirs.yields_to(proof)) {
            let lost = theirs.taken(now);
            let before = judged.losers.remove(&holder).map_or_else(|| other.clone(), |(before, _)| before);
            other.version = before.version + 1;
            other.domains.set(domain, lost);
            judged.losers.insert(holder, (before, other));
            return Ok(claim);
        }
        let asked = self.claims_of(holder).await?.wants.into_iter().find(|wants| wants.domain() == domain);
        judged.contests.extend(asked.map(|wants| Contest { holder, wants }));
        Ok(mine.map_or(claim, |mine| mine.taken(now)))
    }
}

impl Service {
    /// Until when a site of another customer than this one's had the domain: now, where the holder is one.
    async fn held_by_another_until(
        &self,
        site: &Site,
        domain: &Hostname,
        holder: Option<SiteId>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, ServiceError> {
        if let Some(holder) = holder
            && let Some(StoredSite { site: holder, .. }) = self.store().site(holder).await?
        {
            return Ok((holder.cid != site.cid).then_some(now));
        }
        let past = self.store().past_holder(domain).await?;
        Ok(past.filter(|past| past.cid != site.cid).map(|past| past.until))
    }
}

/// The domains that a site asks for, in the order of its spec.
pub(super) fn views(
    site: &Site,
    names: &SiteNames,
    status: Option<&StoredStatus>,
    settings: &Settings,
) -> Vec<DomainView> {
    let address = reached_at(site, status, settings);
    let view = |domain: &Hostname| {
        let claim = site.domains.get(domain)?.clone();
        let wants = DomainWants::new(domain.clone(), site, names, address);
        Some(DomainView { domain: domain.clone(), claim, records: wants.records() })
    };
    site.spec.domains.iter().filter_map(view).collect()
}

/// What is decided on in one round.
struct Judged {
    after: Site,
    /// Those that a domain is taken from: before and after.
    losers: BTreeMap<SiteId, (Site, Site)>,
    contests: Vec<Contest>,
}

impl Judged {
    /// A claim after what was found; `None` when the site does not ask for it any more.
    fn claim(
        &self,
        wants: &DomainWants,
        evidence: &DomainEvidence,
        contested: bool,
        now: Timestamp,
    ) -> Option<DomainClaim> {
        let before = self.after.domains.get(wants.domain())?;
        Some(match evidence {
            DomainEvidence::Trusted => DomainClaim::trusted(now),
            DomainEvidence::Look(look) => before.after(wants, look, contested, now),
        })
    }

    /// Losers first: a domain is nobody's before it is another's.
    fn change(&self, before: &Site, settings: &Settings, now: Timestamp) -> Change {
        let mut change = Change::at(now);
        let lost = self.losers.values().map(|(before, after)| (before, after));
        for (before, after) in lost.chain([(before, &self.after)]) {
            if before.domains == after.domains {
                continue;
            }
            let usage = super::sites::usage(after, settings);
            change = change.write(Write::UpdateSite(after.clone(), usage));
            change.events.extend(news(before, after));
        }
        change
    }
}

/// An event for each claim that stands elsewhere now.
fn news<'a>(before: &'a Site, after: &'a Site) -> impl Iterator<Item = NewEvent> + use<'a> {
    after.domains.iter().filter_map(|(domain, claim)| {
        let changed = before.domains.get(domain).is_none_or(|before| before.state != claim.state);
        let detail = json!({ "domain": domain, "state": claim.state, "message": claim.found });
        changed.then(|| of_site(after, Who::System, EventKind::SiteDomainChanged, detail))
    })
}

/// Where visitors reach the site, if that is known.
fn reached_at(site: &Site, status: Option<&StoredStatus>, settings: &Settings) -> Option<IpAddr> {
    match site.spec.address {
        AddressKind::Own => Some(status?.status.address.as_ref()?.ip),
        AddressKind::Shared => settings.edge_address,
    }
}
