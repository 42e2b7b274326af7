//! What was found of a site.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;
use wpaas_core::service::{DomainView, SitePhase};
use wpaas_core::site::{Condition, ConditionKind, Generation, PartStatus, SiteAddress, SiteStatus, Truth};
use wpaas_core::store::StoredStatus;

use super::autoscale::AutoscaleView;
use super::certificate::CertificateDto;
use super::domain::DomainDto;

/// What was found of a site, as last seen.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StatusView {
    phase: &'static str,
    /// The domains that the site asks for, and how far it has them.
    #[schema(max_items = 50)]
    domains: Vec<DomainDto>,
    /// The certificates that its names are to have, and what became of each; none where the platform asks for none.
    certificates: Vec<CertificateDto>,
    /// Of a site that is scaled on its load.
    autoscale: Option<AutoscaleView>,
    /// Null until the site is seen for the first time, with all that follows.
    #[serde(flatten)]
    #[schema(value_type = FoundView)]
    found: Option<FoundView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
// None is required: they are all absent until the site is seen.
struct FoundView {
    #[schema(value_type = u64, required = false)]
    observed_generation: Generation,
    #[schema(required = false)]
    num_instances: u16,
    #[schema(required = false)]
    database_instances: u8,
    address: Option<AddressView>,
    /// Where the site can be opened.
    url: Option<String>,
    #[schema(required = false)]
    conditions: Vec<ConditionView>,
    #[schema(required = false)]
    parts: Vec<PartStatus>,
    #[schema(required = false)]
    waiting: Vec<String>,
    last_error: Option<String>,
    next_try: Option<Timestamp>,
    wordpress_version: Option<String>,
    #[schema(required = false)]
    recorded_at: Timestamp,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AddressView {
    #[schema(value_type = String)]
    ip: IpAddr,
    local_port: Option<u16>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConditionView {
    r#type: ConditionKind,
    status: Truth,
    #[schema(value_type = String)]
    reason: Cow<'static, str>,
    #[schema(value_type = String)]
    message: Cow<'static, str>,
    since: Timestamp,
}

impl StatusView {
    /// As the store keeps it; `None` is not seen yet. `home` is the URL that the site calls itself by, where that
    /// is not its address.
    pub fn new(
        phase: SitePhase,
        home: Option<String>,
        domains: Vec<DomainView>,
        certificates: Vec<CertificateDto>,
        autoscale: Option<AutoscaleView>,
        stored: Option<StoredStatus>,
    ) -> Self {
        let mut found: Option<FoundView> = stored.map(Into::into);
        if let (Some(found), Some(home)) = (&mut found, home) {
            found.url = found.url.take().map(|_| home);
        }
        let domains = domains.into_iter().map(Into::into).collect();
        Self { phase: phase.as_str(), domains, certificates, autoscale, found }
    }
}

impl From<StoredStatus> for FoundView {
    fn from(StoredStatus { status, founded: _, recorded_at }: StoredStatus) -> Self {
        let SiteStatus {
            observed_generation,
            num_instances,
            database_instances,
            address,
            conditions,
            parts,
            waiting,
            last_error,
            next_try,
            wordpress_version,
            challenge: _,
        } = status;
        Self {
            observed_generation,
            num_instances,
            database_instances,
            url: address.as_ref().map(url),
            address: address.map(|SiteAddress { ip, local_port }| AddressView { ip, local_port }),
            conditions: conditions.into_iter().map(Into::into).collect(),
            parts,
            waiting,
            last_error,
            next_try,
            wordpress_version,
            recorded_at,
        }
    }
}

impl From<Condition> for ConditionView {
    fn from(Condition { kind, status, reason, message, since }: Condition) -> Self {
        Self { r#type: kind, status, reason, message, since }
    }
}

fn url(address: &SiteAddress) -> String {
    match (address.local_port, address.ip) {
        (Some(port), _) => format!("http://127.0.0.1:{port}/"),
        (None, IpAddr::V6(ip)) => format!("http://[{ip}]/"),
        (None, IpAddr::V4(ip)) => format!("http://{ip}/"),
    }
}
