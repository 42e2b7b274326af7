use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Grace, IfMatch, Listed, Mode, Page, Service, ServiceError};
use crate::access::Actor;
use crate::account::Lifecycle;
use crate::code::Code;
use crate::id::SiteId;
use crate::name::{Cid, Email, Hostname, Slug, Username};
use crate::secret::Secret;
use crate::site::{DatabaseSize, Features, Site, SiteNames};
use crate::store::StoredStatus;

/// Where sites are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePlace {
    /// Whose.
    pub cid: Cid,
    /// `None` is the default org.
    pub org: Option<Slug>,
    /// `None` is the default space.
    pub space: Option<Slug>,
}

/// Which site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePath {
    /// Where.
    pub place: SitePlace,
    /// Its name.
    pub name: Slug,
}

/// A site to make; `None` takes the default.
#[derive(Debug, Clone)]
pub struct NewSite {
    /// Unique in the org.
    pub name: Slug,
    /// The website's title; its name without.
    pub title: Option<String>,
    /// WordPress's first user; `admin` without.
    pub admin_username: Option<Username>,
    /// Its address; the customer's without.
    pub admin_email: Option<Email>,
    /// Its password; must be given.
    pub admin_password: Option<Secret>,
    /// Stock WordPress without.
    pub code: Option<Code>,
    /// What the code's source asks for.
    pub code_credential: Option<Secret>,
    /// One without.
    pub num_instances: Option<u16>,
    /// As the operator has set without.
    pub database: Option<DatabaseSize>,
    /// Optional behaviour.
    pub features: Features,
    /// The customer's own DNS names.
    pub domains: Vec<Hostname>,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// A protected site can't be deleted.
    pub deletion_protection: bool,
}

/// What to change of a site; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SiteUpdate {
    /// The website's title.
    pub title: Option<String>,
    /// Sets the admin's password once.
    pub admin_password: Option<Secret>,
    /// `Some(None)` goes back to stock WordPress.
    pub code: Option<Option<Code>>,
    /// `Some(None)` takes it away. Given, the code is fetched again.
    pub code_credential: Option<Option<Secret>>,
    /// WordPress instances.
    pub num_instances: Option<u16>,
    /// Database instances.
    pub database: Option<DatabaseSize>,
    /// Optional behaviour.
    pub features: Option<Features>,
    /// All of the customer's own DNS names.
    pub domains: Option<Vec<Hostname>>,
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether it can't be deleted.
    pub deletion_protection: Option<bool>,
}

/// Which sites to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteFilter {
    /// Of this name.
    pub name: Option<Slug>,
    /// In this phase.
    pub phase: Option<SitePhase>,
    /// With these labels, and these values where one is given.
    pub labels: Vec<(String, Option<String>)>,
}

/// Where a site stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SitePhase {
    /// Not seen yet, or can't be seen.
    Unknown,
    /// Is being made or changed.
    Progressing,
    /// Serves as wanted.
    Ready,
    /// Serves with less than is wanted, or not at all.
    Degraded,
    /// Rests with its data kept.
    Suspended,
    /// Is going away.
    Deleting,
}

/// A site as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteView {
    /// What is wanted.
    pub site: Site,
    /// The name of its org.
    pub org_name: Slug,
    /// The name of its space.
    pub space_name: Slug,
    /// Its names.
    pub names: SiteNames,
    /// Where its customer stands.
    pub customer: Lifecycle,
    /// What was found; `None` before the first look.
    pub status: Option<StoredStatus>,
}

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
        todo!()
    }

    /// One site.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn site(&self, actor: &Actor, path: &SitePath) -> Result<SiteView, ServiceError> {
        todo!()
    }

    /// The sites of a space that pass the filter, in the order of their ids.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`.
    pub async fn sites(
        &self,
        actor: &Actor,
        place: &SitePlace,
        filter: &SiteFilter,
        page: Page<SiteId>,
    ) -> Result<Listed<SiteView, SiteId>, ServiceError> {
        todo!()
    }

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
        todo!()
    }

    /// Deletes a site: what runs goes now, the data when the grace is over. Deleting again can only shorten
    /// the grace.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `site_protected`, `CustomerSuspended`, `VersionMismatch`.
    pub async fn delete_site(
        &self,
        actor: &Actor,
        path: &SitePath,
        grace: Grace,
        if_match: IfMatch,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        todo!()
    }

    /// Takes a deletion back, while its grace lasts.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Forbidden`, `not_in_deletion`, `QuotaExceeded`, `CustomerSuspended`.
    pub async fn restore_site(
        &self,
        actor: &Actor,
        path: &SitePath,
        mode: Mode,
        now: Timestamp,
    ) -> Result<SiteView, ServiceError> {
        todo!()
    }
}
