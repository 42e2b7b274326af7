use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{CertificateName, IssuedCertificate, SiteCertificate};
use crate::id::SiteId;

/// A certificate that a site is to have, and what it has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateNeed {
    /// Who.
    pub site: SiteId,
    /// Which.
    pub name: CertificateName,
    /// What became of it.
    pub held: SiteCertificate,
    /// Whether an authority that looks for a proof of the name finds it: nothing is asked for before.
    pub provable: bool,
}

/// How much may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateBudget {
    /// First certificates of names below one registered domain in [`CertificateBudget::WINDOW`]. Renewals count, too,
    /// but none is put off: a site that has HTTPS keeps it.
    pub per_domain: usize,
}

impl CertificateBudget {
    /// Over this time it is counted: the seven days of Let's Encrypt.
    pub const WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// What was issued at this time or before counts no more.
    #[must_use]
    pub fn counts_after(now: Timestamp) -> Timestamp {
        now.saturating_sub(Self::WINDOW).unwrap_or(Timestamp::MIN)
    }
}

/// Something to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateStep {
    /// Ask for a certificate of this name, for these sites.
    Issue(CertificateName, Vec<SiteId>),
    /// Give what one site has of this name to others that want it, too.
    Share {
        /// Which.
        name: CertificateName,
        /// Who has it.
        from: SiteId,
        /// Who is to have it.
        to: Vec<SiteId>,
    },
}

/// What all sites together want of one name.
struct Group<'a> {
    name: &'a CertificateName,
    needs: Vec<&'a CertificateNeed>,
}

/// What is to be done now for all that any site wants: what is there is shared, what is due is asked for, the most
/// pressing first. `issued` is how many were issued in the budget's time for each registered domain, whether anybody
/// still has them or not: the authority counts them all.
#[must_use]
pub fn plan_certificates<'a>(
    needs: impl IntoIterator<Item = &'a CertificateNeed>,
    issued: &BTreeMap<String, usize>,
    budget: CertificateBudget,
    now: Timestamp,
) -> Vec<CertificateStep> {
    let groups = groups(needs);
    let mut spent: BTreeMap<&str, usize> =
        issued.iter().map(|(domain, count)| (domain.as_str(), *count)).collect();
    let is_due = |group: &&Group<'_>| group.next_try() <= now && group.needs.iter().any(|need| need.provable);
    let mut due: Vec<&Group<'_>> = groups.iter().filter(is_due).collect();
    // Of those that run out, the one that does so first; then those that sites do not have.
    due.sort_by_key(|group| group.newest().map_or(Timestamp::MAX, |(_, issued)| issued.not_after));
    let mut steps: Vec<CertificateStep> = groups.iter().filter_map(|group| group.share(now)).collect();
    for group in due {
        let spent = spent.entry(group.name.registered()).or_default();
        if group.newest().is_some() || *spent < budget.per_domain {
            *spent += 1;
            steps.push(CertificateStep::Issue(group.name.clone(), group.sites()));
        }
    }
    steps
}

fn groups<'a>(needs: impl IntoIterator<Item = &'a CertificateNeed>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&CertificateName, Vec<&CertificateNeed>> = BTreeMap::new();
    for need in needs {
        groups.entry(&need.name).or_default().push(need);
    }
    groups.into_iter().map(|(name, needs)| Group { name, needs }).collect()
}

impl Group<'_> {
    /// The certificate that lasts longest, and who has it.
    fn newest(&self) -> Option<(SiteId, &IssuedCertificate)> {
        let held = self.needs.iter().filter_map(|need| Some((need.site, need.held.issued.as_ref()?)));
        held.max_by_key(|(_, issued)| issued.not_after)
    }

    /// Whoever was refused last tells when to try again.
    fn next_try(&self) -> Timestamp {
        let renew = self.newest().map(|(_, issued)| issued.renew_at(self.name));
        let failures = self.needs.iter().filter_map(|need| need.held.failure.as_ref());
        // What was issued after a failure is no reason to wait any more.
        let since = self.newest().map_or(Timestamp::MIN, |(_, issued)| issued.issued_at);
        let retry = failures.filter(|failure| failure.at >= since).map(|failure| failure.retry_at).max();
        renew.max(retry).unwrap_or(Timestamp::MIN)
    }

    fn sites(&self) -> Vec<SiteId> {
        self.needs.iter().map(|need| need.site).collect()
    }

    fn share(&self, now: Timestamp) -> Option<CertificateStep> {
        let (from, newest) = self.newest().filter(|(_, issued)| issued.is_valid(now))?;
        let lacks = |need: &&&CertificateNeed| {
            need.held.issued.as_ref().is_none_or(|issued| issued.not_after < newest.not_after)
        };
        let to: Vec<SiteId> = self.needs.iter().filter(lacks).map(|need| need.site).collect();
        (!to.is_empty()).then(|| CertificateStep::Share { name: self.name.clone(), from, to })
    }
}
