//! Whether a site may have the domains that it asks for: whoever rules a name says so in DNS.
//!
//! A domain is one site's in the whole system. A site *claims* the domains of its spec; a claim is *proved* by what is
//! found in DNS, and only then does the site answer by that name. What is not proved blocks nothing: the site runs
//! without it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AddressKind, Site, SiteNames};
use crate::id::SiteId;
use crate::name::Hostname;

/// A claim that is not proved for so long has failed, and a proof that is not found for so long is lost.
const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// A claim that failed, and one that stands, are looked at this often.
const RARELY: SignedDuration = SignedDuration::from_hours(6);
/// For so long an address alone does not give a domain to another customer's site than the one that had it: the address
/// may be one that was that site's, and was given out again.
pub(crate) const DOMAIN_REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);
/// No claim is looked at more often by itself.
const AT_LEAST: SignedDuration = SignedDuration::from_secs(15);

/// A site's claims on domains: one for each of its spec's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomainClaims(BTreeMap<Hostname, DomainClaim>);

/// How far a claim on a domain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainClaim {
    /// Where it stands.
    pub state: DomainState,
    /// Since when.
    pub since: Timestamp,
    /// What makes the domain the site's; `None` while nothing does.
    pub proof: Option<DomainProof>,
    /// What was found when it was last looked at, for people.
    pub found: String,
    /// When it was last looked at.
    pub looked_at: Option<Timestamp>,
    /// When it is to be looked at next.
    pub look_at: Timestamp,
    /// Since when there is no proof to be found; `None` while there is.
    pub unproved_since: Option<Timestamp>,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// The proof is looked for.
    Pending,
    /// The domain is the site's, and does not lead to it yet.
    Verified,
    /// The domain is the site's, and leads to it.
    Active,
    /// Another site has the domain, or no proof was found for days. It is still looked for, now and then.
    Failed,
}

/// What makes a domain a site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainProof {
    /// A TXT record that names the site.
    Record,
    /// The domain is an alias of the site's platform name, which no other site ever has.
    Alias,
    /// All its addresses are the site's own.
    Address,
    /// Nothing: this platform asks for no proof.
    Trusted,
}

/// What DNS says of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainLook {
    /// The texts at [`DomainWants::record_name`].
    pub texts: Result<Vec<String>, NoAnswer>,
    /// Where the domain itself leads.
    pub leads: Result<DomainLeads, NoAnswer>,
}

/// Where a name leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainLeads {
    /// The names that it is an alias of, one after the other.
    pub aliases: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// Nobody could tell: this proves nothing, neither that a record is there nor that it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// What DNS is to say, for one domain of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainWants {
    domain: Hostname,
    site: SiteId,
    platform: Hostname,
    /// Where the site is reached.
    address: Option<IpAddr>,
    /// Whether nobody else is reached there.
    own: bool,
}

/// A record of DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DnsRecord {
    /// `TXT`, `CNAME`, `A` or `AAAA`.
    pub r#type: &'static str,
    /// Where it is set.
    pub name: String,
    /// What it says.
    pub value: String,
    /// What it is good for.
    pub purpose: &'static str,
}

impl DomainWants {
    /// For a site with these names. `address` is where it is reached: its own, or that of the edge it shares.
    #[must_use]
    pub fn new(domain: Hostname, site: &Site, names: &SiteNames, address: Option<IpAddr>) -> Self {
        let own = site.spec.address == AddressKind::Own;
        Self { domain, site: site.id, platform: names.platform.clone(), address, own }
    }

    /// Which domain.
    #[must_use]
    pub const fn domain(&self) -> &Hostname {
        &self.domain
    }

    /// Where the text is looked for.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("_wpaas.{}", self.domain)
    }

    /// The text that proves the claim: no other site has it.
    #[must_use]
    pub fn token(&self) -> String {
        format!("wpaas-site={}", self.site)
    }

    /// The records that a person can set; the first proves the claim, each of the others does so as well where it leads
    /// to this site alone, and leads visitors there.
    #[must_use]
    pub fn records(&self) -> Vec<DnsRecord> {
        let (proof, leads) = ("proves that the domain is this site's", "leads visitors to this site");
        let both = "leads visitors to this site, and proves the domain";
        let domain = self.domain.to_string();
        let mut records =
            vec![DnsRecord { r#type: "TXT", name: self.record_name(), value: self.token(), purpose: proof }];
        records.push(DnsRecord {
            r#type: "CNAME",
            name: domain.clone(),
            value: self.platform.to_string(),
            purpose: both,
        });
        records.extend(self.address.map(|ip| DnsRecord {
            r#type: if ip.is_ipv4() { "A" } else { "AAAA" },
            name: domain,
            value: ip.to_string(),
            purpose: if self.own { both } else { leads },
        }));
        records
    }

    /// The proof that was found, if any.
    fn proof(&self, look: &DomainLook) -> Option<DomainProof> {
        let says = |texts: &Vec<String>| texts.iter().any(|text| text.trim() == self.token());
        if look.texts.as_ref().is_ok_and(says) {
            return Some(DomainProof::Record);
        }
        let leads = look.leads.as_ref().ok()?;
        if self.is_alias(leads) {
            return Some(DomainProof::Alias);
        }
        (self.own && self.is_there(leads)).then_some(DomainProof::Address)
    }

    fn leads_here(&self, look: &DomainLook) -> bool {
        look.leads.as_ref().is_ok_and(|leads| self.is_alias(leads) || self.is_there(leads))
    }

    fn is_alias(&self, leads: &DomainLeads) -> bool {
        let is_ours = |alias: &String| {
            alias.strip_suffix('.').unwrap_or(alias).eq_ignore_ascii_case(self.platform.as_str())
        };
        leads.aliases.iter().any(is_ours)
    }

    fn is_there(&self, leads: &DomainLeads) -> bool {
        !leads.addresses.is_empty() && leads.addresses.iter().all(|ip| Some(*ip) == self.address)
    }
}

impl DomainClaim {
    /// One that was not looked at.
    const fn new(now: Timestamp) -> Self {
        Self {
            state: DomainState::Pending,
            since: now,
            proof: None,
            found: String::new(),
            looked_at: None,
            look_at: now,
            unproved_since: Some(now),
        }
    }

    /// Whether the domain is the site's.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.proof.is_some()
    }

    /// The claim after this look. No answer changes nothing but the time of the next look. One that another site asks
    /// for with a proof of its own (`contested`) is lost at once where its own proof is gone.
    #[must_use]
    pub fn after(&self, wants: &DomainWants, look: &DomainLook, contested: bool, now: Timestamp) -> Self {
        let found = found(wants, look);
        if let Some(proof) = wants.proof(look) {
            return Self::proved(proof, wants.leads_here(look), found, now);
        }
        let since = self.unproved_since.unwrap_or(now);
        let answered = look.texts.is_ok() && look.leads.is_ok();
        let waited = now.duration_since(since);
        let over = answered && (waited >= PATIENCE || (contested && self.is_held()));
        let (state, proof) = match self.state {
            state @ (DomainState::Pending | DomainState::Failed) => (state, None),
            DomainState::Verified | DomainState::Active => (DomainState::Verified, self.proof),
        };
        let (state, proof) = if over { (DomainState::Failed, None) } else { (state, proof) };
        let look_at = now.saturating_add(pause(waited)).unwrap_or(now);
        // Unanswered, what was known of it stays so.
        let state = if answered || over { state } else { self.state };
        let unproved_since = if answered { Some(since) } else { self.unproved_since };
        Self { state, since: now, proof, found, looked_at: Some(now), look_at, unproved_since }
    }

    fn proved(proof: DomainProof, leads_here: bool, found: String, now: Timestamp) -> Self {
        let state = if leads_here { DomainState::Active } else { DomainState::Verified };
        // Whoever has proved it sets the record for visitors next.
        let pause = if leads_here { RARELY } else { SignedDuration::from_mins(5) };
        Self {
            state,
            since: now,
            proof: Some(proof),
            found,
            looked_at: Some(now),
            look_at: now.saturating_add(pause).unwrap_or(now),
            unproved_since: None,
        }
    }

    /// One that needs no proof.
    #[must_use]
    pub fn trusted(now: Timestamp) -> Self {
        let found = "this platform asks for no proof".to_owned();
        Self::proved(DomainProof::Trusted, true, found, now)
    }

    /// Whether this claim stands on an address alone, of a domain that a site of another customer had until then, or
    /// has.
    #[must_use]
    pub fn is_doubtful(&self, held_by_another_until: Timestamp, now: Timestamp) -> bool {
        self.proof == Some(DomainProof::Address)
            && now.duration_since(held_by_another_until) < DOMAIN_REMEMBERED
    }

    /// One that is doubtful: it is looked for a better proof.
    #[must_use]
    pub fn doubted(&self, now: Timestamp) -> Self {
        let found = "the domain leads to this site, but another customer's site has it, or had it not long ago, and \
                     addresses are given out again: the TXT record or the alias proves it";
        let waited = now.duration_since(self.unproved_since.unwrap_or(now));
        let over = self.state == DomainState::Failed || waited >= PATIENCE;
        let state = if over { DomainState::Failed } else { DomainState::Pending };
        self.unproved(state, found, now)
    }

    /// One whose domain another site has.
    #[must_use]
    pub fn taken(&self, now: Timestamp) -> Self {
        let found = "another site has this domain: it gives it up when its own record is gone from DNS, or when its \
                     claim stands on an address or alias alone and the TXT record names this site";
        self.unproved(DomainState::Failed, found, now)
    }

    fn unproved(&self, state: DomainState, found: &str, now: Timestamp) -> Self {
        let since = self.unproved_since.unwrap_or(now);
        Self {
            state,
            since: now,
            proof: None,
            found: found.to_owned(),
            looked_at: Some(now),
            look_at: now.saturating_add(pause(now.duration_since(since))).unwrap_or(now),
            unproved_since: Some(since),
        }
    }

    /// Whether this claim gives way to another site's that has this proof: what is written for one site says more than
    /// where a name leads, which may be left from before.
    #[must_use]
    pub fn yields_to(&self, proof: DomainProof) -> bool {
        matches!(self.proof, Some(DomainProof::Alias | DomainProof::Address)) && proof == DomainProof::Record
    }
}

/// The longer it takes, the more rarely it is looked at.
fn pause(waited: SignedDuration) -> SignedDuration {
    (waited / 4).clamp(AT_LEAST, RARELY)
}

/// What was found, for people.
fn found(wants: &DomainWants, look: &DomainLook) -> String {
    let text = match &look.texts {
        Err(NoAnswer(why)) => format!("no answer about {}: {why}", wants.record_name()),
        Ok(texts) if texts.is_empty() => format!("{} has no TXT record", wants.record_name()),
        Ok(texts) if texts.iter().any(|text| text.trim() == wants.token()) => {
            format!("{} names this site", wants.record_name())
        }
        Ok(_) => format!("{} says something else than {}", wants.record_name(), wants.token()),
    };
    let leads = match &look.leads {
        Err(NoAnswer(why)) => format!("no answer about {}: {why}", wants.domain),
        Ok(leads) if leads.aliases.is_empty() && leads.addresses.is_empty() => {
            format!("{} leads nowhere", wants.domain)
        }
        Ok(DomainLeads { aliases, addresses }) => {
            let to: Vec<String> =
                aliases.iter().cloned().chain(addresses.iter().map(IpAddr::to_string)).collect();
            let here = if wants.leads_here(look) { " (this site)" } else { ", which is not this site" };
            format!("{} leads to {}{here}", wants.domain, to.join(", "))
        }
    };
    format!("{text}; {leads}")
}

impl DomainClaims {
    /// The claim on this domain.
    #[must_use]
    pub fn get(&self, domain: &Hostname) -> Option<&DomainClaim> {
        self.0.get(domain)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Hostname, &DomainClaim)> {
        self.0.iter()
    }

    /// The domains that are the site's.
    pub fn held(&self) -> impl Iterator<Item = &Hostname> {
        self.0.iter().filter(|(_, claim)| claim.is_held()).map(|(domain, _)| domain)
    }

    /// Whether this domain is the site's.
    #[must_use]
    pub fn holds(&self, domain: &Hostname) -> bool {
        self.get(domain).is_some_and(DomainClaim::is_held)
    }

    /// One claim for each of these: those that are there stay as they are.
    pub fn follow(&mut self, domains: &[Hostname], now: Timestamp) {
        self.0.retain(|domain, _| domains.contains(domain));
        for domain in domains {
            self.0.entry(domain.clone()).or_insert_with(|| DomainClaim::new(now));
        }
    }

    /// Puts a claim in the place of that on the same domain, which may have stood there since long; nothing happens to a
    /// domain that is not claimed any more.
    pub fn set(&mut self, domain: &Hostname, claim: DomainClaim) {
        if let Some(before) = self.0.get_mut(domain) {
            let since = if before.state == claim.state { before.since } else { claim.since };
            *before = DomainClaim { since, ..claim };
        }
    }

    /// When one is to be looked at next.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        self.0.values().map(|claim| claim.look_at).min()
    }
}

#[cfg(test)]
mod tests;
