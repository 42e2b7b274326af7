use jiff::Timestamp;
use serde_json::json;

use super::{NewSite, SitePlace, SiteView, generated, spec};
use crate::access::{Action, Actor};
use crate::id::SiteId;
use crate::name::Username;
use crate::secret::SecretName;
use crate::service::commit::{Rounds, of_site, who, writable};
use crate::service::place::Place;
use crate::service::spares::Taking;
use crate::service::{Answer, ConflictCode, Service, ServiceError, Settings, certificates, domains};
use crate::site::{
    Admin, Certificates, CodeState, DomainClaims, Releases, Site, SiteLifecycle, SiteNames, SiteSpec,
};
use crate::store::{Change, EventKind, Expect, Mode, StoredSite, Who, Write};

impl Service {
    /// Makes a site, and the default org and space if it goes there and they are not there yet. In a dry run
    /// everything is checked and nothing stays.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `site_name_taken`, `name_in_deletion`, `QuotaExceeded`, `CustomerSuspended`,
    /// `Invalid`.
    pub async fn create_site(
        &self,
        actor: &Actor,
        place: &SitePlace,
        new: NewSite,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        self.create_site_answered(actor, place, new, mode, now, |_| None).await
    }

    /// As [`Service::create_site`]. Under an idempotency key, what `answer` makes of the site is kept in the same
    /// transaction as the site. It is asked before that, and once more each time that others were quicker.
    ///
    /// # Errors
    ///
    /// As [`Service::create_site`].
    pub async fn create_site_answered(
        &self,
        actor: &Actor,
        place: &SitePlace,
        new: NewSite,
        mode: Mode,
        now: Timestamp,
        answer: impl Fn(&SiteView) -> Option<Answer> + Send + Sync,
    ) -> Result<SiteView, ServiceError> {
        let mut spare = self.spare_for(&new, mode);
        let mut rounds = Rounds::default();
        loop {
            let id = spare.as_ref().map_or_else(SiteId::new, |spare| spare.id);
            let (at, same_name) =
                self.place_and_site(actor, Action::SiteCreate, place, Some(&new.name), now).await?;
            let site = decide_create(&at, same_name.as_ref(), id, &new, self.settings(), now)?;
            let mut change = creation(&at, &site, who(actor), self.settings(), now);
            // Only now: whoever may not make it here is told so, whatever else is wrong.
            change.writes.extend(self.secrets_of(id, &new, spare.is_some())?);
            change.mode = mode;
            let view = self.view(&at, StoredSite { site, status: None })?;
            if self.commit_answered(change, || answer(&view), &mut rounds).await? {
                spare.into_iter().for_each(Taking::done);
                return Ok(view);
            }
            if let Some(taking) = spare.take() {
                spare = self.still_kept(taking).await?.or_else(|| self.spare_for(&new, mode));
            }
        }
    }

    /// A spare that the site can be, if there is one. A dry run, after which nothing stays, needs none.
    fn spare_for(&self, new: &NewSite, mode: Mode) -> Option<Taking> {
        let database = new.database.unwrap_or(self.settings().default_database);
        self.take_spare(database).filter(|_| mode == Mode::Commit)
    }

    /// What a site's secrets are at first. That of its database's user comes with a spare.
    fn secrets_of(&self, site: SiteId, new: &NewSite, is_spare: bool) -> Result<Vec<Write>, ServiceError> {
        let password = new.admin_password.as_ref();
        let password = password.ok_or_else(|| ServiceError::invalid("admin_password", "must be given"))?;
        let mut secrets = vec![self.seal(site, SecretName::Salt, 1, &generated())?];
        if is_spare {
            secrets.push(Write::TakeSpare(site));
        } else {
            secrets.push(self.seal(site, SecretName::DatabasePassword, 1, &generated())?);
        }
        secrets.push(self.seal_admin_password(site, 1, password)?);
        if let Some(credential) = &new.code_credential {
            secrets.push(self.seal(site, SecretName::CodeCredential, 1, credential)?);
        }
        Ok(secrets)
    }

    /// A site as it is shown.
    pub(in crate::service) fn view(&self, at: &Place, stored: StoredSite) -> Result<SiteView, ServiceError> {
        let StoredSite { site, mut status } = stored;
        let platform = spec::platform(&site.name, &site.cid, &at.org.get().name, self.settings())?;
        let names = SiteNames::of(&site, platform, self.settings().edge_ports);
        let certificates = certificates::views(&site, &names, self.settings(), Timestamp::now());
        let domains = domains::views(&site, &names, status.as_ref(), self.settings());
        if let Some(status) = &mut status {
            certificates::show(&certificates, &mut status.status, site.created_at);
            domains::show(&domains, &mut status.status);
        }
        Ok(SiteView {
            certificates,
            domains,
            names,
            org_name: at.org.get().name.clone(),
            space_name: at.space.get().name.clone(),
            customer: at.customer.lifecycle,
            site,
            status,
        })
    }
}

/// The site that is made, or why not.
fn decide_create(
    at: &Place,
    same_name: Option<&StoredSite>,
    id: SiteId,
    new: &NewSite,
    settings: &Settings,
    now: Timestamp,
) -> Result<Site, ServiceError> {
    writable(at.customer.lifecycle)?;
    if let Some(other) = same_name {
        return Err(name_taken(&other.site));
    }
    if new.code.is_none() && new.code_credential.is_some() {
        return Err(ServiceError::invalid("code.credential", "is of no use without code"));
    }
    let spec = new_spec(at, new, settings);
    spec::check(&spec, settings)?;
    let mut domains = DomainClaims::default();
    domains.follow(&spec.domains, now);
    let platform = spec::platform(&new.name, &at.customer.cid, &at.org.get().name, settings)?;
    spec::check_routes(&spec.routes, &Releases::default(), &platform)?;
    Ok(Site {
        id,
        cid: at.customer.cid.clone(),
        org: at.org.get().id,
        space: at.space.get().id,
        name: new.name.clone(),
        generation: 1,
        code: CodeState {
            wanted: u64::from(spec.code.is_some()),
            credential_version: u64::from(new.code_credential.is_some()),
            has_credential: new.code_credential.is_some(),
            keeps_stock: false,
            failure: None,
        },
        domains,
        scaled: None,
        certificates: Certificates::default(),
        spec,
        lifecycle: SiteLifecycle::Live,
        releases: Releases::default(),
        created_at: now,
        version: 1,
    })
}

fn name_taken(other: &Site) -> ServiceError {
    match other.lifecycle {
        SiteLifecycle::Live => {
            ServiceError::conflict(ConflictCode::SiteNameTaken, "another site of this org has that name")
        }
        SiteLifecycle::Deleting { purge_after, .. } => ServiceError::conflict(
            ConflictCode::NameInDeletion,
            format!(
                "a deleted site keeps that name until {purge_after}: restore it, or delete it with grace=0"
            ),
        ),
    }
}

fn new_spec(at: &Place, new: &NewSite, settings: &Settings) -> SiteSpec {
    let NewSite {
        name,
        title,
        admin_username,
        admin_email,
        admin_password: _,
        code,
        code_credential: _,
        num_instances,
        database,
        features,
        domains,
        primary_domain,
        address,
        labels,
        routes,
        deletion_protection,
    } = new.clone();
    SiteSpec {
        title: title.unwrap_or_else(|| name.to_string()),
        admin: Admin {
            username: admin_username.unwrap_or_else(Username::admin),
            email: admin_email.unwrap_or_else(|| at.customer.email.clone()),
            password_version: 1,
        },
        code,
        num_instances: num_instances.unwrap_or(1),
        database: database.unwrap_or(settings.default_database),
        features,
        domains,
        primary_domain,
        address,
        routes,
        labels,
        deletion_protection,
    }
}

fn creation(at: &Place, site: &Site, who: Who, settings: &Settings, now: Timestamp) -> Change {
    let usage = spec::usage(site, settings);
    let detail = json!({ "name": site.name, "generation": site.generation });
    at.ensure(now)
        .expect(Expect::CustomerActive(site.cid.clone()))
        .expect(Expect::QuotaAllows { org: site.org, space: site.space, site: None, usage })
        .write(Write::InsertSite(site.clone(), usage))
        .event(of_site(site, who, EventKind::SiteCreated, detail))
}

#[cfg(test)]
mod tests;
