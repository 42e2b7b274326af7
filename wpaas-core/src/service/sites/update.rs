use jiff::Timestamp;
use serde_json::json;

use super::{SitePath, SiteUpdate, SiteView, spec};
use crate::access::{Action, Actor};
use crate::code::{Code, GitCode, S3Code};
use crate::secret::{Secret, SecretName};
use crate::service::commit::{Rounds, of_site, who, writable};
use crate::service::customers::replace;
use crate::service::place::Place;
use crate::service::{ConflictCode, IfMatch, Service, ServiceError, Settings, certificates};
use crate::site::{Releases, Site, SiteLifecycle};
use crate::store::{Change, EventKind, Expect, Mode, StoredSite, Write};

impl Service {
    /// Changes what is wanted of a site.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `QuotaExceeded`, `CustomerSuspended`, `VersionMismatch`, `site_in_deletion`,
    /// `Invalid`.
    pub async fn update_site(
        &self,
        actor: &Actor,
        path: &SitePath,
        update: SiteUpdate,
        if_match: IfMatch,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let (at, stored) = self.find(actor, Action::SiteUpdate, path).await?;
            let decided = decide_update(&at, &stored.site, &update, if_match, self.settings())?;
            let (mut site, changed) = match decided {
                Some(decided) => decided,
                // Said again what is wanted, so it counts.
                None if stored.is_behind() => (next(&stored.site), Vec::new()),
                None => return self.view(&at, stored),
            };
            site.domains.follow(&site.spec.domains, now);
            certificates::follow(&mut site, &at.org.get().name, self.settings());
            raise(&mut site, &stored);
            let detail = json!({ "generation": site.generation, "changed": changed });
            let event = of_site(&site, who(actor), EventKind::SiteUpdated, detail);
            let mut change = rewrite(&site, self.settings(), now).event(event);
            change.writes.extend(self.new_secrets(&site, &update)?);
            change.writes.extend(certificates::forgotten(&stored.site, &site));
            change.mode = mode;
            if self.commit(change, &mut rounds).await? {
                return self.view(&at, StoredSite { site, status: stored.status });
            }
        }
    }

    /// Fetches a site's code again, as when its branch has moved.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `CustomerSuspended`, `site_in_deletion`, `Invalid` for a site without code.
    pub async fn refetch_code(
        &self,
        actor: &Actor,
        path: &SitePath,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            let (at, stored) = self.find(actor, Action::SiteUpdate, path).await?;
            changeable(&at, &stored.site)?;
            if stored.site.spec.code.is_none() {
                return Err(ServiceError::invalid("code", "the site has none, so there is nothing to fetch"));
            }
            let mut site = next(&stored.site);
            raise(&mut site, &stored);
            site.code.wanted = site.generation;
            site.code.failure = None;
            let detail = json!({ "generation": site.generation, "changed": ["code"] });
            let event = of_site(&site, who(actor), EventKind::SiteUpdated, detail);
            let mut change = rewrite(&site, self.settings(), now).event(event);
            change.mode = mode;
            if self.commit(change, &mut rounds).await? {
                return self.view(&at, StoredSite { site, status: stored.status });
            }
        }
    }

    fn new_secrets(&self, site: &Site, update: &SiteUpdate) -> Result<Vec<Write>, ServiceError> {
        let mut writes = Vec::new();
        if let Some(password) = &update.admin_password {
            let version = site.spec.admin.password_version;
            writes.push(self.seal_admin_password(site.id, version, password)?);
        }
        if let Some(Some(credential)) = &update.code_credential {
            let version = site.code.credential_version;
            writes.push(self.seal(site.id, SecretName::CodeCredential, version, credential)?);
        }
        Ok(writes)
    }
}

/// Writes a site that was there, if its customer and the quotas allow it.
pub(in crate::service) fn rewrite(site: &Site, settings: &Settings, now: Timestamp) -> Change {
    let usage = spec::usage(site, settings);
    Change::at(now)
        .expect(Expect::CustomerActive(site.cid.clone()))
        .expect(Expect::QuotaAllows { org: site.org, space: site.space, site: Some(site.id), usage })
        .write(Write::UpdateSite(site.clone(), usage))
}

/// The same site, one generation on.
pub(in crate::service) fn next(site: &Site) -> Site {
    let mut next = site.clone();
    next.generation += 1;
    next.version += 1;
    next
}

/// Above whatever was made for the site before the store was put back: what somebody says now is the newest.
pub(super) fn raise(site: &mut Site, stored: &StoredSite) {
    site.generation = site.generation.max(stored.seen().saturating_add(u64::from(stored.is_behind())));
}

pub(in crate::service) fn changeable(at: &Place, site: &Site) -> Result<(), ServiceError> {
    writable(at.customer.lifecycle)?;
    match site.lifecycle {
        SiteLifecycle::Live => Ok(()),
        SiteLifecycle::Deleting { .. } => Err(ServiceError::conflict(
            ConflictCode::SiteInDeletion,
            "the site is deleted: restore it before changing it",
        )),
    }
}

/// The site as it will be and the fields that differ; `None` when nothing does.
fn decide_update(
    at: &Place,
    site: &Site,
    update: &SiteUpdate,
    if_match: IfMatch,
    settings: &Settings,
) -> Result<Option<(Site, Vec<&'static str>)>, ServiceError> {
    if_match.check(site.generation)?;
    changeable(at, site)?;
    let mut new = next(site);
    let changed = apply(&mut new, update)?;
    if changed.is_empty() {
        return Ok(None);
    }
    spec::check(&new.spec, settings)?;
    let platform = spec::platform(&new.name, &new.cid, &at.org.get().name, settings)?;
    spec::check_routes(&new.spec.routes, &new.releases, &platform)?;
    Ok(Some((new, changed)))
}

fn apply(site: &mut Site, update: &SiteUpdate) -> Result<Vec<&'static str>, ServiceError> {
    let mut changed = Vec::new();
    let SiteUpdate {
        title,
        admin_password,
        code,
        code_credential,
        num_instances,
        database,
        features,
        domains,
        primary_domain,
        address,
        routes,
        labels,
        deletion_protection,
    } = update;
    let spec = &mut site.spec;
    replace(&mut spec.title, title.as_ref(), "title", &mut changed);
    replace(&mut spec.num_instances, num_instances.as_ref(), "num_instances", &mut changed);
    replace(&mut spec.database, database.as_ref(), "database", &mut changed);
    let features = features.over(&spec.features);
    replace(&mut spec.features, Some(&features), "features", &mut changed);
    replace(&mut spec.domains, domains.as_ref(), "domains", &mut changed);
    replace(&mut spec.primary_domain, primary_domain.as_ref(), "primary_domain", &mut changed);
    replace(&mut spec.address, address.as_ref(), "address", &mut changed);
    replace(&mut spec.routes, routes.as_ref(), "routes", &mut changed);
    replace(&mut spec.labels, labels.as_ref(), "labels", &mut changed);
    let protection = deletion_protection.as_ref();
    replace(&mut spec.deletion_protection, protection, "deletion_protection", &mut changed);
    if admin_password.is_some() {
        spec.admin.password_version += 1;
        changed.push("admin_password");
    }
    // Whoever takes it up again begins with what is asked for.
    if !site.is_scaling() {
        site.scaled = None;
    }
    if apply_code(site, code.as_ref(), code_credential.as_ref())? {
        changed.push("code");
    }
    Ok(changed)
}

/// Whether the code is to be fetched anew, or goes.
fn apply_code(
    site: &mut Site,
    code: Option<&Option<Code>>,
    credential: Option<&Option<Secret>>,
) -> Result<bool, ServiceError> {
    let before = site.spec.code.clone();
    if let Some(code) = code {
        site.spec.code.clone_from(code);
    }
    let after = site.spec.code.as_ref();
    if matches!(credential, Some(Some(_))) && after.is_none() {
        return Err(ServiceError::invalid("code.credential", "is of no use without code"));
    }
    let state = &mut site.code;
    let had_credential = state.has_credential;
    match credential {
        Some(Some(_)) => {
            state.has_credential = true;
            state.credential_version += 1;
        }
        Some(None) => state.has_credential = false,
        // A credential is for the place it was given for: whoever may change the code may not read it, and
        // must not be able to have it sent elsewhere.
        None => state.has_credential &= same_place(before.as_ref(), after),
    }
    let credential_changed = matches!(credential, Some(Some(_))) || state.has_credential != had_credential;
    if before.as_ref() == after && !credential_changed {
        return Ok(false);
    }
    state.failure = None;
    if after.is_some() {
        state.wanted = site.generation;
        state.keeps_stock |= before.is_none();
    } else {
        state.keeps_stock = false;
        site.releases = Releases::default();
    }
    Ok(true)
}

/// Whether both are fetched from the same place, whatever the branch or the folder.
fn same_place(a: Option<&Code>, b: Option<&Code>) -> bool {
    match (a, b) {
        (Some(Code::Git(a)), Some(Code::Git(b))) => {
            let GitCode { url, reference: _, path: _ } = a;
            *url == b.url
        }
        (Some(Code::S3(a)), Some(Code::S3(b))) => {
            let S3Code { bucket, key: _, endpoint, region } = a;
            (bucket, endpoint, region) == (&b.bucket, &b.endpoint, &b.region)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
