//! The certificates of a site's names: which it is to have, and what became of that.
//!
//! A certificate is for one name, of a host or of all hosts right below one. Sites that want the same name share what
//! was issued for it: only those of one org do, as a domain is one site's, and an org's names are its own. A site whose
//! certificate is not there, or has run out, is served over plain HTTP: nothing here stops it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{DomainState, Site, SiteNames};
use crate::name::{Hostname, InvalidName};

mod plan;

pub use plan::{CertificateBudget, CertificateNeed, CertificateStep, plan_certificates};

/// The first failure is followed by another try so soon: a name that is just being made known, in DNS or at the edge,
/// often is a moment later.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(15);
/// The second one after so long, each further one after twice as long: Let's Encrypt allows five failures an hour for a
/// name.
const SECOND_RETRY: SignedDuration = SignedDuration::from_mins(4);
/// No try is put off longer, unless the authority asks for it.
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(12);

/// What a certificate is for: one host, or `*.` and a name for all hosts right below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CertificateName {
    host: Hostname,
    wildcard: bool,
}

/// How it is proved to an authority that the name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ChallengeKind {
    /// The gateway answers for the host.
    #[serde(rename = "http-01")]
    Http,
    /// The platform's zone has a text. Only this proves a wildcard.
    #[serde(rename = "dns-01")]
    Dns,
}

/// Which certificates the sites of a platform have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateRules {
    /// Whether the platform's zone is answered for all the world: then its names have wildcard certificates, one for all
    /// sites of an org. Otherwise each has one of its own.
    pub wildcards: bool,
}

/// A site's certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// The version of the newest that the site was given; each has one of its own, by which its secret is kept.
    newest: u64,
    of: BTreeMap<CertificateName, SiteCertificate>,
}

/// What became of a certificate that a site wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteCertificate {
    /// What the site has; it may have run out.
    pub issued: Option<IssuedCertificate>,
    /// Why there is none, or no newer one; `None` once there is.
    pub failure: Option<CertificateFailure>,
}

/// A certificate that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// Under which its secret is kept, of this site; 0 before it is given to one.
    pub version: u64,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When we got it.
    pub issued_at: Timestamp,
}

/// Why a certificate was not issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFailure {
    /// In the words of who refused it.
    pub error: String,
    /// Since when it fails.
    pub since: Timestamp,
    /// When it was last tried.
    pub at: Timestamp,
    /// How often in a row.
    pub count: u32,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// Where a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// It is asked for, or will be.
    Pending,
    /// The site has it.
    Issued,
    /// It was refused; it is asked for again.
    Failed,
    /// The site has one that is not valid any more, and could not be renewed.
    Expired,
}

impl CertificateName {
    /// Of this host alone.
    #[must_use]
    pub const fn host(host: Hostname) -> Self {
        Self { host, wildcard: false }
    }

    /// Of all hosts right below this name.
    #[must_use]
    pub const fn below(host: Hostname) -> Self {
        Self { host, wildcard: true }
    }

    /// Whether a client that asks for this host takes the certificate.
    #[must_use]
    pub fn covers(&self, host: &Hostname) -> bool {
        if !self.wildcard {
            return self.host == *host;
        }
        let first = host.as_str().strip_suffix(self.host.as_str()).and_then(|rest| rest.strip_suffix('.'));
        first.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }

    /// How it is proved.
    #[must_use]
    pub const fn challenge(&self) -> ChallengeKind {
        if self.wildcard { ChallengeKind::Dns } else { ChallengeKind::Http }
    }

    /// Where the zone has the text that proves it.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("_acme-challenge.{}", self.host)
    }

    /// The name that whoever limits certificates counts by: the registered domain.
    #[must_use]
    pub fn registered(&self) -> &str {
        psl::domain_str(self.host.as_str()).unwrap_or(self.host.as_str())
    }

    /// From 0 to 1: the same for the same name and salt, and no other name's.
    fn jitter(&self, salt: i64) -> f64 {
        let hash = Sha256::new().chain_update(self.to_string()).chain_update(salt.to_be_bytes()).finalize();
        f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        self.host.fmt(f)
    }
}

impl FromStr for CertificateName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("*.") {
            Some(host) => host.parse().map(Self::below),
            None => text.parse().map(Self::host),
        }
    }
}

impl TryFrom<String> for CertificateName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> Self {
        name.to_string()
    }
}

impl CertificateRules {
    /// The certificates that a site is to have: for each domain that leads to it, and for its platform names.
    #[must_use]
    pub fn wanted(self, site: &Site, names: &SiteNames) -> Vec<CertificateName> {
        let leads = |domain: &&Hostname| {
            site.domains.get(domain).is_some_and(|claim| claim.state == DomainState::Active)
        };
        let domains = names.domains.iter().filter(leads).cloned().map(CertificateName::host);
        domains.chain(self.of_platform(names)).collect()
    }

    fn of_platform(self, names: &SiteNames) -> Vec<CertificateName> {
        let SiteNames { platform, routes, domains: _, primary: _, edge: _ } = names;
        if !self.wildcards {
            return std::iter::once(platform)
                .chain(routes.values())
                .cloned()
                .map(CertificateName::host)
                .collect();
        }
        let org = platform.as_str().split_once('.').and_then(|(_, org)| org.parse().ok());
        let below_site = (!routes.is_empty()).then(|| platform.clone());
        org.into_iter().chain(below_site).map(CertificateName::below).collect()
    }
}

impl Certificates {
    /// What became of this one; nothing did if it was never tried.
    #[must_use]
    pub fn get(&self, name: &CertificateName) -> SiteCertificate {
        self.of.get(name).cloned().unwrap_or_default()
    }

    /// The versions under which the secrets of what the site has are kept.
    pub fn versions(&self) -> impl Iterator<Item = u64> {
        self.of.values().filter_map(|certificate| Some(certificate.issued.as_ref()?.version))
    }

    /// Forgets what the site neither wants now nor may want again, as soon as one of its domains leads to it.
    pub fn follow(&mut self, wanted: &[CertificateName], domains: &[Hostname]) {
        let may_be = |name: &CertificateName| domains.iter().any(|domain| name.covers(domain));
        self.of.retain(|name, _| wanted.contains(name) || may_be(name));
    }

    /// Puts a certificate in the place of what was there, and returns the version that its secret is kept under. What
    /// is not `wanted` any more is forgotten.
    pub fn give(
        &mut self,
        name: &CertificateName,
        issued: IssuedCertificate,
        wanted: &[CertificateName],
    ) -> u64 {
        self.newest += 1;
        let issued = Some(IssuedCertificate { version: self.newest, ..issued });
        self.set(name, SiteCertificate { issued, failure: None }, wanted);
        self.newest
    }

    /// Notes that it could not be had: what was issued before stays. The authority may ask for a time before the next
    /// try (`retry_after`).
    pub fn fail(
        &mut self,
        name: &CertificateName,
        error: &str,
        retry_after: Option<SignedDuration>,
        wanted: &[CertificateName],
        now: Timestamp,
    ) {
        let SiteCertificate { issued, failure } = self.get(name);
        let count = failure.as_ref().map_or(1, |failure| failure.count.saturating_add(1));
        let pause = pause(name, issued.as_ref(), count, now).max(retry_after.unwrap_or_default());
        let failure = CertificateFailure {
            error: error.to_owned(),
            since: failure.map_or(now, |failure| failure.since),
            at: now,
            count,
            retry_at: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        };
        self.set(name, SiteCertificate { issued, failure: Some(failure) }, wanted);
    }

    fn set(&mut self, name: &CertificateName, certificate: SiteCertificate, wanted: &[CertificateName]) {
        self.of.retain(|other, _| wanted.contains(other));
        self.of.insert(name.clone(), certificate);
    }
}

impl SiteCertificate {
    /// Where it stands.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CertificateState {
        match (&self.issued, &self.failure) {
            (Some(issued), _) if issued.is_valid(now) => CertificateState::Issued,
            (Some(_), Some(_)) => CertificateState::Expired,
            (None, Some(_)) => CertificateState::Failed,
            (_, None) => CertificateState::Pending,
        }
    }

    /// When it is to be asked for, as far as it knows itself; the budget may put it off.
    #[must_use]
    pub fn next_try(&self, name: &CertificateName) -> Timestamp {
        let renew = self.issued.as_ref().map(|issued| issued.renew_at(name));
        let retry = self.failure.as_ref().map(|failure| failure.retry_at);
        renew.max(retry).unwrap_or(Timestamp::MIN)
    }
}

impl IssuedCertificate {
    /// Whether a client takes it.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// When it is to be renewed: at two thirds of its life, or up to a twentieth of it earlier, so that those issued
    /// together are not all renewed together.
    #[must_use]
    pub fn renew_at(&self, name: &CertificateName) -> Timestamp {
        let life = self.life();
        let early = (life / 20).as_secs_f64() * name.jitter(self.not_before.as_second());
        let after = life * 2 / 3 - SignedDuration::try_from_secs_f64(early).unwrap_or_default();
        self.not_before.saturating_add(after).unwrap_or(self.not_after)
    }

    fn life(&self) -> SignedDuration {
        self.not_after.duration_since(self.not_before).max(SignedDuration::ZERO)
    }
}

/// How long after failures in a row: soon after the first, then twice as long each time, with jitter, and never so long that what there is would
/// run out before there were some more tries.
fn pause(
    name: &CertificateName,
    issued: Option<&IssuedCertificate>,
    count: u32,
    now: Timestamp,
) -> SignedDuration {
    let longest =
        issued.map_or(LONGEST_RETRY, |issued| LONGEST_RETRY.min(issued.life() / 24)).max(SECOND_RETRY / 2);
    let pause = match count.checked_sub(2) {
        None => FIRST_RETRY,
        Some(more) => (SECOND_RETRY * 2_i32.pow(more.min(10))).min(longest),
    };
    let jitter = (pause / 4).as_secs_f64() * name.jitter(now.as_second());
    pause + SignedDuration::try_from_secs_f64(jitter).unwrap_or_default()
}

#[cfg(test)]
mod tests;
