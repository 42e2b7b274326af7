//! Sites: what is wanted ([`SiteSpec`]) and what was found ([`SiteStatus`]), apart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::Version;
use crate::code::Code;
use crate::id::{OrgId, ReleaseId, SiteId, SpaceId};
use crate::name::{Cid, Email, Hostname, Slug, Username};

mod autoscale;
mod certificate;
mod domain;
mod names;
mod release;
mod spare;
mod status;

pub use autoscale::{Autoscale, Load, LoadHistory, Pace, Scaled, Scaling};
pub use certificate::{
    CertificateBudget, CertificateFailure, CertificateName, CertificateNeed, CertificateRules,
    CertificateState, CertificateStep, Certificates, ChallengeKind, IssuedCertificate, SiteCertificate,
    plan_certificates,
};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "testing"))]
pub(crate) use domain::DOMAIN_REMEMBERED;
pub use domain::{
    DnsRecord, DomainClaim, DomainClaims, DomainLeads, DomainLook, DomainProof, DomainState, DomainWants,
    NoAnswer,
};
pub use names::{AddressKind, EdgePorts, SiteNames, org_label, platform_name, route_name};
pub use release::{Proof, Release, ReleaseState, Releases, SchemaChange};
pub use spare::{Spare, SpareState};
pub use status::{Condition, ConditionKind, PartStatus, SiteStatus, Truth};

/// Grows by one with every change of a site's spec or lifecycle; what a site's `ETag` and `If-Match` compare,
/// so that what the system notes of a site by itself fails nobody's update.
pub type Generation = u64;

/// Everything that serves one WordPress website, as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Never used again.
    pub id: SiteId,
    /// Whose.
    pub cid: Cid,
    /// In which org; the name is unique there.
    pub org: OrgId,
    /// In which space.
    pub space: SpaceId,
    /// Immutable.
    pub name: Slug,
    /// Of the spec and the lifecycle.
    pub generation: Generation,
    /// What is wanted.
    pub spec: SiteSpec,
    /// Whether it is to run.
    pub lifecycle: SiteLifecycle,
    /// What its code was, and which of it is served.
    pub releases: Releases,
    /// How far the fetching of the code is.
    pub code: CodeState,
    /// How far its claims on its domains are.
    pub domains: DomainClaims,
    /// How many instances it has been given for its load; `None` before the first time.
    pub scaled: Option<Scaled>,
    /// What became of the certificates of its names.
    pub certificates: Certificates,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Of this record.
    pub version: Version,
}

/// What a customer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSpec {
    /// The website's title, set when WordPress is installed.
    pub title: String,
    /// WordPress's first user.
    pub admin: Admin,
    /// Where the code comes from; `None` is stock WordPress.
    pub code: Option<Code>,
    /// WordPress instances that serve; what a site begins with that is scaled on its load. With none it rests.
    pub num_instances: u16,
    /// Database instances: one, or three for redundancy.
    pub database: DatabaseSize,
    /// Optional behaviour.
    pub features: Features,
    /// The customer's own DNS names.
    pub domains: Vec<Hostname>,
    /// The one of the domains that the others redirect to.
    pub primary_domain: Option<Hostname>,
    /// Whether the site is reached at an edge, too.
    pub address: AddressKind,
    /// More names of the platform for it, by their first label.
    pub routes: BTreeMap<Slug, Route>,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// A protected site can't be deleted.
    pub deletion_protection: bool,
}

/// WordPress's first user. The password itself is kept as a bcrypt hash, as a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// Its user name in WordPress.
    pub username: Username,
    /// Its e-mail address in WordPress.
    pub email: Email,
    /// Grows by one each time a password is given; each is set once.
    pub password_version: u64,
}

/// How many database nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum DatabaseSize {
    /// One node, without redundancy.
    One,
    /// Three Galera nodes: any one may be lost.
    Three,
}

impl DatabaseSize {
    /// The number of nodes.
    #[must_use]
    pub const fn nodes(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

#[cfg(feature = "openapi")]
crate::openapi::schema!(
    DatabaseSize,
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::Integer)
        .enum_values(Some([1, 3]))
        .examples([1])
);

impl From<DatabaseSize> for u8 {
    fn from(size: DatabaseSize) -> Self {
        size.nodes()
    }
}

impl TryFrom<u8> for DatabaseSize {
    type Error = &'static str;

    fn try_from(nodes: u8) -> Result<Self, Self::Error> {
        match nodes {
            1 => Ok(Self::One),
            3 => Ok(Self::Three),
            _ => Err("must be 1 or 3"),
        }
    }
}

/// Optional behaviour of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Scale the WordPress instances on measured load, between these bounds.
    pub autoscale: Option<Autoscale>,
    /// Have browsers ask for the site's names over HTTPS alone.
    pub hsts: Option<Hsts>,
}

/// For how long browsers that have seen a site over HTTPS ask for it over nothing else (RFC 6797). It is said of each
/// host that has a certificate, of none below it, and over HTTPS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hsts {
    /// In seconds; 0 has browsers forget it.
    pub max_age: u32,
}

impl Default for Hsts {
    /// A year.
    fn default() -> Self {
        Self { max_age: 365 * 24 * 3600 }
    }
}

/// What a name `<route>.<site>.<org label>.www.<domain>` shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Route {
    /// A kept release, on a node of its own, over the site's own data; what the site serves without one.
    pub release: Option<ReleaseId>,
}

/// Whether a site is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum SiteLifecycle {
    /// It is.
    Live,
    /// Deleted. What runs goes at once; volumes, address and name are kept until `purge_after`.
    Deleting {
        /// When it was asked for.
        since: Timestamp,
        /// The end of the grace period; the data goes then.
        purge_after: Timestamp,
    },
}

/// What stays of a site that is gone: by it, what appears late can still be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Never used again.
    pub id: SiteId,
    /// Whose it was.
    pub cid: Cid,
    /// In which org it was.
    pub org: OrgId,
    /// The last one.
    pub generation: Generation,
    /// When nothing was left of it.
    pub purged_at: Timestamp,
}

/// How far the fetching of a site's code is. All zero while the site has only ever had stock WordPress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeState {
    /// The generation in which the code or its credential was last given; a release of an older one is not
    /// what is wanted.
    pub wanted: Generation,
    /// The version of the last credential that was given; 0 before the first.
    pub credential_version: u64,
    /// Whether that credential is for the code that is wanted.
    pub has_credential: bool,
    /// Whether stock WordPress served before, and does until the first release has proved itself.
    pub keeps_stock: bool,
    /// Why the wanted code could not become a release, when it was last tried.
    pub failure: Option<CodeFailure>,
}

/// Why code could not become a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CodeFailure {
    /// For the customer.
    pub message: String,
    /// When it was tried.
    pub at: Timestamp,
    /// When it is to be tried again; `None` until a person changes something.
    pub retry_at: Option<Timestamp>,
}

impl Site {
    /// WordPress instances that are to serve.
    #[must_use]
    pub fn instances(&self) -> u16 {
        let asked = self.spec.num_instances;
        match &self.spec.features.autoscale {
            Some(bounds) if asked > 0 => {
                self.scaled.as_ref().map_or(asked, |scaled| scaled.instances).clamp(bounds.min, bounds.max)
            }
            _ => asked,
        }
    }

    /// Whether its instances follow its load.
    #[must_use]
    pub fn is_scaling(&self) -> bool {
        let rests = self.spec.num_instances == 0 || self.lifecycle != SiteLifecycle::Live;
        self.spec.features.autoscale.is_some() && !rests
    }

    /// Whether the code that is wanted has become a release, whatever became of that; true as well for stock
    /// WordPress.
    #[must_use]
    pub fn has_wanted_release(&self) -> bool {
        self.spec.code.is_none() || self.releases.iter().any(|release| release.generation >= self.code.wanted)
    }

    /// The releases that its routes show, which stay as long as they do.
    #[must_use]
    pub fn pinned(&self) -> BTreeSet<ReleaseId> {
        self.spec.routes.values().filter_map(|route| route.release).collect()
    }

    /// From when on its claims on domains are to be looked at; `None` while it has none, or is deleted.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        self.domains.look_at().filter(|_| self.lifecycle == SiteLifecycle::Live)
    }

    /// From when on its code is to be fetched; `None` when it is a release, has failed for good, or is not wanted.
    #[must_use]
    pub fn fetch_at(&self) -> Option<Timestamp> {
        if self.lifecycle != SiteLifecycle::Live || self.has_wanted_release() {
            return None;
        }
        self.code.failure.as_ref().map_or(Some(Timestamp::UNIX_EPOCH), |failure| failure.retry_at)
    }
}

/// Where a site answers, as its status tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SiteAddress {
    /// The site's own address.
    pub ip: IpAddr,
    /// A port on this machine, where the address itself can't be reached from it.
    pub local_port: Option<u16>,
}
