//! Sites as they are shown: what is wanted and what was found, apart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use wpaas_core::account::Version;
use wpaas_core::id::{OrgId, SiteId, SpaceId};
use wpaas_core::name::{Cid, Email, Hostname, Slug, Username};
use wpaas_core::service::SiteView;
use wpaas_core::site::{
    AddressKind, Admin, CodeFailure, CodeState, Features, Generation, Release, Route, Scaling, Site,
    SiteLifecycle, SiteNames, SiteSpec,
};
use wpaas_core::store::StoredStatus;

use super::autoscale::{AutoscaleDto, AutoscaleView};
use super::certificate::CertificateDto;
use super::code::{self, CodeView};
use super::hsts::HstsDto;
use super::release::ReleaseDto;
use super::schema;
use super::site_status::StatusView;

/// A site.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SiteDto {
    id: SiteId,
    cid: Cid,
    org_id: OrgId,
    org: Slug,
    space_id: SpaceId,
    space: Slug,
    name: Slug,
    /// Whether nothing real runs.
    simulated: bool,
    /// What a person should know of it though nothing is wrong.
    warnings: Vec<String>,
    /// The design's flat name of `expected.num_instances`.
    expected_num_instances: u16,
    /// The design's flat name of `actual.num_instances`: 0 until the site is seen.
    num_instances: u16,
    /// The design's flat name of `spec.code`.
    code_url: Option<String>,
    features: FeaturesView,
    expected: InstancesView,
    /// Null until the site is seen.
    actual: Option<InstancesView>,
    spec: SpecView,
    lifecycle: SiteLifecycle,
    /// What serves; null for the stock WordPress, and while nothing has proved itself.
    release: Option<ReleaseDto>,
    /// What is being tried, to serve next.
    candidate: Option<ReleaseDto>,
    /// The newest release, if it failed when it was tried.
    refused: Option<ReleaseDto>,
    /// Whether the code comes with a credential, which is never shown.
    has_code_credential: bool,
    /// Why the wanted code is not a release, when it was last tried.
    code_failure: Option<CodeFailure>,
    names: NamesView,
    status: StatusView,
    created_at: Timestamp,
    #[schema(value_type = u64)]
    generation: Generation,
    #[schema(value_type = u64)]
    version: Version,
}

/// How many run, or should.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
struct InstancesView {
    num_instances: u16,
    database_instances: u8,
}

/// Optional behaviour.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
struct FeaturesView {
    /// False, or between which bounds.
    autoscale: AutoscaleDto,
    /// False, or for how long.
    hsts: HstsDto,
}

impl From<&Features> for FeaturesView {
    fn from(Features { autoscale, hsts }: &Features) -> Self {
        Self { autoscale: (*autoscale).into(), hsts: (*hsts).into() }
    }
}

/// What is wanted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SpecView {
    #[schema(value_type = schema::Line)]
    title: String,
    admin: AdminView,
    code: Option<CodeView>,
    num_instances: u16,
    database: DatabaseView,
    features: FeaturesView,
    #[schema(max_items = 50)]
    domains: Vec<Hostname>,
    primary_domain: Option<Hostname>,
    address: AddressKind,
    #[schema(value_type = BTreeMap<String, Route>)]
    routes: BTreeMap<Slug, Route>,
    #[schema(value_type = schema::Labels)]
    labels: BTreeMap<String, String>,
    deletion_protection: bool,
}

/// `WordPress`'s first user, without its password.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AdminView {
    username: Username,
    email: Email,
    password_version: u64,
}

/// The database service.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DatabaseView {
    num_instances: u8,
}

/// The site's names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct NamesView {
    platform: Hostname,
    /// Of those that the site asks for, those that are its.
    #[schema(max_items = 50)]
    domains: Vec<Hostname>,
    /// `<route>.<platform>`, by route.
    #[schema(value_type = BTreeMap<String, Hostname>)]
    routes: BTreeMap<Slug, Hostname>,
}

impl SiteDto {
    /// As the service shows it. `simulated` says that nothing real runs; `scaling` is what its load makes of it now.
    pub fn new(view: SiteView, simulated: bool, scaling: Option<Scaling>) -> Self {
        let (phase, warnings, home) = (view.phase(), view.warnings(), view.home_url());
        let (instances, scaled) = (view.site.instances(), AutoscaleView::of(&view.site, scaling));
        let SiteView {
            site,
            org_name,
            space_name,
            names,
            domains: claimed,
            certificates,
            customer: _,
            status,
        } = view;
        let Site {
            id,
            cid,
            org,
            space,
            name,
            generation,
            spec,
            lifecycle,
            releases,
            code,
            domains: _,
            scaled: _,
            certificates: _,
            created_at,
            version,
        } = site;
        let CodeState { wanted: _, credential_version: _, keeps_stock: _, has_credential, failure } = code;
        let SiteNames { platform, domains, routes, primary: _, edge: _ } = names;
        let shown = |release: Option<&Release>| release.map(|release| ReleaseDto::of(&releases, release));
        let actual = status.as_ref().map(actual);
        Self {
            expected_num_instances: instances,
            num_instances: actual.map_or(0, |actual| actual.num_instances),
            code_url: spec.code.as_ref().map(code::url),
            features: (&spec.features).into(),
            expected: InstancesView { num_instances: instances, database_instances: spec.database.nodes() },
            actual,
            spec: spec.into(),
            names: NamesView { platform, domains, routes },
            status: StatusView::new(
                phase,
                home,
                claimed,
                certificates.into_iter().map(CertificateDto::from).collect(),
                scaled,
                status,
            ),
            org_id: org,
            org: org_name,
            space_id: space,
            space: space_name,
            has_code_credential: has_credential,
            code_failure: failure,
            id,
            cid,
            name,
            simulated,
            warnings,
            lifecycle,
            release: shown(releases.serving()),
            candidate: shown(releases.candidate()),
            refused: shown(releases.refused()),
            created_at,
            generation,
            version,
        }
    }

    /// What an `If-Match` can name.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Where it is.
    pub fn path(&self) -> String {
        let Self { cid, org, space, name, .. } = self;
        if *org == Slug::default_name() {
            return format!("/wpaas/{cid}/{space}/{name}");
        }
        format!("/orgs/{cid}/{org}/spaces/{space}/wpaas/{name}")
    }
}

fn actual(stored: &StoredStatus) -> InstancesView {
    let status = &stored.status;
    InstancesView { num_instances: status.num_instances, database_instances: status.database_instances }
}

impl From<SiteSpec> for SpecView {
    fn from(spec: SiteSpec) -> Self {
        let SiteSpec {
            title,
            admin,
            code,
            num_instances,
            database,
            features,
            domains,
            primary_domain,
            address,
            routes,
            labels,
            deletion_protection,
        } = spec;
        let Admin { username, email, password_version } = admin;
        Self {
            title,
            admin: AdminView { username, email, password_version },
            code: code.map(Into::into),
            num_instances,
            database: DatabaseView { num_instances: database.nodes() },
            features: (&features).into(),
            domains,
            primary_domain,
            address,
            routes,
            labels,
            deletion_protection,
        }
    }
}
