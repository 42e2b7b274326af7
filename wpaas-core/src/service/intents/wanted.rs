//! What is wanted of a site, as the converger takes it.

use jiff::Timestamp;
use thin_vec::ThinVec;

use crate::account::Version;
use crate::converge::{Candidate, Intent, Preview, ReleaseRef, RunIntent, TlsCertificate, TlsIntent, Wanted};
use crate::name::{Email, Username};
use crate::secret::{SecretName, SecretRef};
use crate::service::Settings;
use crate::site::{
    CertificateName, DatabaseSize, Proof, Release, Site, SiteLifecycle, SiteNames, Spare, SpareState,
};
use crate::store::SiteFacts;

/// Until the converger puts its own in place, by the claim that it holds.
pub(super) const EPOCH: u64 = 1;

/// Whether a site's grace is over.
pub(super) fn is_over(site: &Site, now: Timestamp) -> bool {
    matches!(site.lifecycle, SiteLifecycle::Deleting { purge_after, .. } if purge_after <= now)
}

/// What is wanted of a site. Pure.
pub(super) fn intent(
    facts: &SiteFacts,
    settings: &Settings,
    challenge: Option<String>,
    now: Timestamp,
) -> Intent {
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

/// What is wanted of a site that is no customer's; nothing where it is one. Pure.
pub(super) fn spare_intent(spare: &Spare) -> Option<Intent> {
    let (version, wanted) = match spare.state {
        SpareState::Kept => (0, Wanted::Run(run_spare(spare.database))),
        SpareState::Taken => return None,
        SpareState::Gone => (Version::MAX, Wanted::Gone),
    };
    Some(Intent { site: spare.id, generation: Spare::GENERATION, version, epoch: EPOCH, wanted })
}

/// All but WordPress. What only WordPress knows of is not said yet.
fn run_spare(database: DatabaseSize) -> RunIntent {
    RunIntent {
        wordpress: 0,
        database,
        release: Some(ReleaseRef::Stock),
        candidate: None,
        refused: None,
        authorities: Vec::new(),
        previews: ThinVec::new(),
        redirects: ThinVec::new(),
        tls: TlsIntent::default(),
        home: None,
        title: String::new(),
        admin_user: Username::admin(),
        admin_email: Email::nobody(),
        admin_version: 0,
        was_founded: false,
    }
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

#[cfg(test)]
mod tests;
