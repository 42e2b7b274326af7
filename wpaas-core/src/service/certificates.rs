//! The certificates of sites: what each wants, and what became of it; and the account that they are asked for with.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::commit::{Rounds, of_site};
use super::{Page, Service, ServiceError, Settings};
use crate::id::SiteId;
use crate::name::Slug;
use crate::secret::{Secret, SecretError, SecretName, SecretRef, Secrets as _};
use crate::site::{
    CertificateBudget, CertificateName, CertificateNeed, CertificateState, Certificates, ChallengeKind,
    IssuedCertificate, Site, SiteCertificate, SiteNames,
};
use crate::store::{
    AcmeAccount, Change, EventKind, SiteFacts, StoreError, StoredSite, Violation, Who, Write,
};

mod show;

pub(super) use show::{show, views};

/// Sites read at a time.
const PIECE: usize = 500;

/// A certificate that a site wants, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// Which.
    pub name: CertificateName,
    /// How it is proved that the name is ours.
    pub challenge: ChallengeKind,
    /// Where it stands.
    pub state: CertificateState,
    /// What became of it.
    pub certificate: SiteCertificate,
    /// When it is asked for next.
    pub next_try: Timestamp,
}

/// A certificate that was issued, to be given to sites.
#[derive(Debug, Clone)]
pub struct NewCertificate {
    /// The certificate, those that vouch for it, and its key, one after the other.
    pub pem: Secret,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was issued.
    pub issued_at: Timestamp,
}

/// Why a certificate could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRefusal {
    /// In the words of who refused it.
    pub error: String,
    /// How long the authority asks to be left alone.
    pub retry_after: Option<SignedDuration>,
}

/// The key of the account at an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeKey {
    /// Grows by one with every new key.
    pub version: u64,
    /// As whoever made it wrote it.
    pub key: Secret,
}

impl Service {
    /// The certificates that live sites want, and what became of each. None without rules for them.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn certificate_needs(&self) -> Result<Vec<CertificateNeed>, ServiceError> {
        let (mut page, mut needs) = (Page::first(PIECE), Vec::new());
        loop {
            let sites = self.store().site_facts(&page).await?;
            page.after = sites.last().map(|facts| facts.site.id);
            needs.extend(sites.iter().flat_map(|facts| self.needs_of(facts)));
            if sites.len() < PIECE {
                return Ok(needs);
            }
        }
    }

    /// Those of one site.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn certificate_needs_of(&self, site: SiteId) -> Result<Vec<CertificateNeed>, ServiceError> {
        let facts = self.store().site_facts_of(site).await?;
        Ok(facts.iter().flat_map(|facts| self.needs_of(facts)).collect())
    }

    /// What a site wants: what its gateways prove can be, once they have what to say.
    fn needs_of(&self, facts: &SiteFacts) -> impl Iterator<Item = CertificateNeed> {
        let site = &facts.site;
        let ours = self.challenge();
        let answers = ours.is_some() && ours == facts.challenge;
        let need = move |name: CertificateName| CertificateNeed {
            site: site.id,
            held: site.certificates.get(&name),
            provable: answers || name.challenge() == ChallengeKind::Dns,
            name,
        };
        wanted_of(facts, self.settings()).into_iter().map(need)
    }

    /// How many certificates the budget counts now, by their registered domain.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn certificates_issued(&self, now: Timestamp) -> Result<BTreeMap<String, usize>, ServiceError> {
        Ok(self.store().issuances(CertificateBudget::counts_after(now)).await?)
    }

    /// Gives a certificate that was issued now to sites, each its own copy, sealed; one that does not want it any more
    /// gets none. The budget counts it, whether anybody wants it or not.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn give_certificate(
        &self,
        name: &CertificateName,
        sites: &[SiteId],
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let counted = Change::at(now).write(Write::CountIssuance(name.clone(), now));
        self.store().commit(counted).await?;
        self.hand_out(name, sites, new, now).await
    }

    async fn hand_out(
        &self,
        name: &CertificateName,
        sites: &[SiteId],
        new: &NewCertificate,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let NewCertificate { pem, not_before, not_after, issued_at } = new;
        let (not_before, not_after, issued_at) = (*not_before, *not_after, *issued_at);
        let issued = IssuedCertificate { version: 0, not_before, not_after, issued_at };
        for site in sites {
            self.note(*site, name, now, |site, wanted| {
                let version = site.certificates.give(name, issued, wanted);
                Ok(vec![self.seal(site.id, SecretName::Certificate, version, pem)?])
            })
            .await?;
        }
        Ok(())
    }

    /// Gives what one site has to others. Nothing happens when it has it no more.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn share_certificate(
        &self,
        name: &CertificateName,
        from: SiteId,
        to: &[SiteId],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let Some(StoredSite { site, .. }) = self.store().site(from).await? else { return Ok(()) };
        let Some(issued) = site.certificates.get(name).issued else { return Ok(()) };
        let secret = SecretRef { site: from, name: SecretName::Certificate, version: issued.version };
        let pem = match self.secrets().get(&secret).await {
            Ok(pem) => pem,
            // Replaced meanwhile: the next plan knows.
            Err(SecretError::Absent { .. }) => return Ok(()),
            Err(error) => return Err(ServiceError::Unavailable(StoreError::Unavailable(Box::new(error)))),
        };
        let IssuedCertificate { version: _, not_before, not_after, issued_at } = issued;
        let shared = NewCertificate { pem, not_before, not_after, issued_at };
        self.hand_out(name, to, &shared, now).await
    }

    /// Notes for these sites that the certificate could not be had; what they have stays.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn refuse_certificate(
        &self,
        name: &CertificateName,
        sites: &[SiteId],
        refusal: &CertificateRefusal,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let CertificateRefusal { error, retry_after } = refusal;
        for site in sites {
            self.note(*site, name, now, |site, wanted| {
                site.certificates.fail(name, error, *retry_after, wanted, now);
                Ok(Vec::new())
            })
            .await?;
        }
        Ok(())
    }

    /// Changes what a site has of a certificate, with what else is to be written, as long as it wants it.
    async fn note(
        &self,
        id: SiteId,
        name: &CertificateName,
        now: Timestamp,
        change: impl Fn(&mut Site, &[CertificateName]) -> Result<Vec<Write>, ServiceError>,
    ) -> Result<(), ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let Some(facts) = self.store().site_facts_of(id).await? else { return Ok(()) };
            let wanted = wanted_of(&facts, self.settings());
            if !wanted.contains(name) {
                return Ok(());
            }
            let mut site = facts.site.clone();
            site.version += 1;
            let writes = change(&mut site, &wanted)?;
            let usage = super::sites::usage(&site, self.settings());
            let mut all = Change::at(now).write(Write::UpdateSite(site.clone(), usage));
            all.writes.extend(writes);
            all.writes.extend(forgotten(&facts.site, &site));
            all.events.extend(news(&facts.site, &site, name, now));
            if self.commit(all, &mut rounds).await? {
                return Ok(());
            }
        }
    }

    /// The key of our account at the authority of this directory.
    ///
    /// # Errors
    ///
    /// `Unavailable`, and `Keyring` when the keys at hand are not those that sealed it.
    pub async fn acme_key(&self, directory: &str) -> Result<Option<AcmeKey>, ServiceError> {
        let Some(account) = self.store().acme_account(directory).await? else { return Ok(None) };
        let AcmeAccount { directory, version, sealed } = account;
        let plain =
            self.inner.keyring.open(&account_context(&directory), &sealed).map_err(ServiceError::Keyring)?;
        let key = Secret::new(String::from_utf8_lossy(&plain).into_owned());
        Ok(Some(AcmeKey { version, key }))
    }

    /// Keeps a key in the place of the one before, and returns what is kept then: that of somebody else, who was first.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn keep_acme_key(&self, directory: &str, new: AcmeKey) -> Result<AcmeKey, ServiceError> {
        let AcmeKey { version, key } = &new;
        let sealed = self.inner.keyring.seal(&account_context(directory), key.expose().as_bytes());
        let sealed = sealed.map_err(ServiceError::Keyring)?;
        let account = AcmeAccount { directory: directory.to_owned(), version: *version, sealed };
        let write = match version {
            1 => Write::InsertAcmeAccount(account),
            _ => Write::UpdateAcmeAccount(account),
        };
        match self.store().commit(Change::at(Timestamp::now()).write(write)).await {
            Ok(_) => Ok(new),
            Err(StoreError::Violated(Violation::Version { .. } | Violation::Present(_))) => {
                Ok(self.acme_key(directory).await?.unwrap_or(new))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn account_context(directory: &str) -> String {
    format!("acme-account/{directory}")
}

/// What a site wants; nothing while it is not to run.
fn wanted_of(facts: &SiteFacts, settings: &Settings) -> Vec<CertificateName> {
    let SiteFacts { site, org_name, customer: _, founded: _, challenge: _ } = facts;
    let org = org_name.as_ref().filter(|_| settings.certificates.is_some() && facts.is_live());
    let names = org.and_then(|org| settings.names_of(site, org));
    names.map(|names| wanted(site, &names, settings)).unwrap_or_default()
}

fn wanted(site: &Site, names: &SiteNames, settings: &Settings) -> Vec<CertificateName> {
    settings.certificates.map(|rules| rules.wanted(site, names)).unwrap_or_default()
}

/// Has a site that was changed forget the certificates of names that it gave up.
pub(super) fn follow(site: &mut Site, org: &Slug, settings: &Settings) {
    // Where there are none for now, there may be again.
    let Some(rules) = settings.certificates else { return };
    let Some(names) = settings.names_of(site, org) else { return };
    let wanted = rules.wanted(site, &names);
    site.certificates.follow(&wanted, &site.spec.domains);
}

/// Removes the secrets of the certificates that a site has no more.
pub(super) fn forgotten<'a>(before: &'a Site, after: &'a Site) -> impl Iterator<Item = Write> + use<'a> {
    let kept: Vec<u64> = after.certificates.versions().collect();
    let gone = before.certificates.versions().filter(move |version| !kept.contains(version));
    gone.map(|version| Write::DeleteSecret(before.id, SecretName::Certificate, version))
}

/// An event for what was issued, and for the first of failures in a row.
fn news(
    before: &Site,
    after: &Site,
    name: &CertificateName,
    now: Timestamp,
) -> Option<crate::store::NewEvent> {
    let of = |certificates: &Certificates| certificates.get(name);
    let (old, new) = (of(&before.certificates), of(&after.certificates));
    if new.issued == old.issued && new.failure.is_some() && old.failure.is_some() {
        return None;
    }
    let detail = json!({
        "certificate": name,
        "state": new.state(now),
        "not_after": new.issued.as_ref().map(|issued| issued.not_after),
        "error": new.failure.as_ref().map(|failure| &failure.error),
    });
    Some(of_site(after, Who::System, EventKind::SiteCertificateChanged, detail))
}
