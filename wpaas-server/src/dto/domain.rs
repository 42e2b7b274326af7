//! The domains that a site asks for.

use jiff::Timestamp;
use serde::Serialize;
use wpaas_core::name::Hostname;
use wpaas_core::service::DomainView;
use wpaas_core::site::{DnsRecord, DomainClaim, DomainProof, DomainState};

/// A domain, and how far the site has it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DomainDto {
    domain: Hostname,
    state: DomainState,
    /// Since when.
    since: Timestamp,
    /// What makes the domain the site's; null while nothing does.
    proof: Option<DomainProof>,
    /// What was found in DNS when it was last looked at.
    found: String,
    looked_at: Option<Timestamp>,
    next_look: Timestamp,
    /// What can be set in DNS: the first proves that the domain is the site's, the others lead visitors to it.
    #[schema(max_items = 3)]
    records: Vec<DnsRecord>,
}

impl From<DomainView> for DomainDto {
    fn from(DomainView { domain, claim, records }: DomainView) -> Self {
        let DomainClaim { state, since, proof, found, looked_at, look_at, unproved_since: _ } = claim;
        Self { domain, state, since, proof, found, looked_at, next_look: look_at, records }
    }
}
