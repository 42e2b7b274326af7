use std::collections::BTreeMap;

use crate::account::Lifecycle;
use crate::code::Code;
use crate::name::{Cid, Email, Hostname, Slug, Username};
use crate::secret::Secret;
use crate::service::{CertificateView, DomainView};
use crate::site::{
    AddressKind, Autoscale, CertificateState, ConditionKind, DatabaseSize, Features, Hsts, Route, Site,
    SiteLifecycle, SiteNames, Truth,
};
use crate::store::StoredStatus;

mod create;
mod delete;
mod list;
mod seal;
mod spec;
mod update;

pub(super) use delete::decide_delete;
pub(super) use seal::generated;
pub(super) use spec::usage;
pub(super) use update::{changeable, next, rewrite};

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
    /// The one of them that the others redirect to.
    pub primary_domain: Option<Hostname>,
    /// Whether it is reached at an edge, too.
    pub address: AddressKind,
    /// More names of the platform for it.
    pub routes: BTreeMap<Slug, Route>,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// A protected site can't be deleted.
    pub deletion_protection: bool,
}

impl NewSite {
    /// Of this name and with this password of its admin; all else is as by default.
    #[must_use]
    pub fn named(name: Slug, admin_password: Secret) -> Self {
        Self {
            name,
            title: None,
            admin_username: None,
            admin_email: None,
            admin_password: Some(admin_password),
            code: None,
            code_credential: None,
            num_instances: None,
            database: None,
            features: Features::default(),
            domains: Vec::new(),
            primary_domain: None,
            address: AddressKind::default(),
            routes: BTreeMap::new(),
            labels: BTreeMap::new(),
            deletion_protection: false,
        }
    }
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
    /// Optional behaviour, each for itself.
    pub features: FeaturesUpdate,
    /// All of the customer's own DNS names.
    pub domains: Option<Vec<Hostname>>,
    /// `Some(None)`: none of them redirects any more.
    pub primary_domain: Option<Option<Hostname>>,
    /// Whether it is reached at an edge, too.
    pub address: Option<AddressKind>,
    /// All of its routes.
    pub routes: Option<BTreeMap<Slug, Route>>,
    /// All labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Whether it can't be deleted.
    pub deletion_protection: Option<bool>,
}

/// What to change of a site's optional behaviour; `None` leaves it, `Some(None)` ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeaturesUpdate {
    /// Whether, and between which bounds, instances follow the load.
    pub autoscale: Option<Option<Autoscale>>,
    /// Whether, and for how long, browsers ask for the site over HTTPS alone.
    pub hsts: Option<Option<Hsts>>,
}

impl FeaturesUpdate {
    /// What becomes of these.
    #[must_use]
    pub fn over(&self, before: &Features) -> Features {
        let Self { autoscale, hsts } = self;
        Features { autoscale: autoscale.unwrap_or(before.autoscale), hsts: hsts.unwrap_or(before.hsts) }
    }
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
    /// The domains that it asks for, and how far it has them.
    pub domains: Vec<DomainView>,
    /// The certificates that it wants, and what became of each.
    pub certificates: Vec<CertificateView>,
    /// Where its customer stands.
    pub customer: Lifecycle,
    /// What was found; `None` before the first look.
    pub status: Option<StoredStatus>,
}

impl SiteView {
    /// What a person should know of it though nothing is wrong.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let newer = self.site.releases.newer_schema();
        newer.into_iter().map(|(serves, database)| format!(
            "the database has schema {database}, made by a later release; the release that serves knows {serves}. \
             A rollback to a release with its database goes back to the dump taken before, without what was written since"
        )).collect()
    }

    /// What the site calls itself by; `None` when that is its address. It is https where its gateway has the certificate.
    #[must_use]
    pub fn home_url(&self) -> Option<String> {
        let host = self.names.home_host()?;
        let covers =
            |view: &CertificateView| view.state == CertificateState::Issued && view.name.covers(host);
        let secure = self.names.secure(host).filter(|_| self.certificates.iter().any(covers));
        Some(match secure {
            Some(authority) => format!("https://{authority}/"),
            None => format!("http://{}/", self.names.home()?),
        })
    }

    /// Where the site stands.
    #[must_use]
    pub fn phase(&self) -> SitePhase {
        if self.site.lifecycle != SiteLifecycle::Live {
            return SitePhase::Deleting;
        }
        if self.customer != Lifecycle::Active {
            return SitePhase::Suspended;
        }
        let Some(StoredStatus { status, .. }) = &self.status else { return SitePhase::Progressing };
        if status.observed_generation < self.site.generation {
            return SitePhase::Progressing;
        }
        let truth = |kind| status.condition(kind).map_or(Truth::Unknown, |condition| condition.status);
        match (truth(ConditionKind::Ready), truth(ConditionKind::Degraded), truth(ConditionKind::Progressing))
        {
            (Truth::True, ..) => SitePhase::Ready,
            (_, Truth::True, _) => SitePhase::Degraded,
            (_, _, Truth::True) => SitePhase::Progressing,
            (Truth::False, ..) => SitePhase::Degraded,
            (Truth::Unknown, ..) => SitePhase::Unknown,
        }
    }
}

impl SiteFilter {
    /// Whether the site passes.
    #[must_use]
    pub fn matches(&self, view: &SiteView) -> bool {
        self.name.as_ref().is_none_or(|name| *name == view.site.name)
            && self.phase.is_none_or(|phase| phase == view.phase())
            && self.labels.iter().all(|(key, value)| {
                let found = view.site.spec.labels.get(key);
                found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            })
    }
}

impl SitePhase {
    /// The stable word: `ready`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Progressing => "progressing",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    /// Every phase.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Progressing, Self::Ready, Self::Degraded, Self::Suspended, Self::Deleting];
}
