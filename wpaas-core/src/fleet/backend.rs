use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;

use super::{FleetObject, FleetPart, FleetStep};
use crate::converge::BackendError;
use crate::name::Hostname;

/// Where the fleet's own nodes run. Apart from [`crate::converge::Backend`], as not every platform needs any.
#[async_trait]
pub trait FleetBackend: fmt::Debug + Send + Sync + 'static {
    /// What is surely there, and all of it.
    ///
    /// # Errors
    ///
    /// When it can't be seen. Nothing is concluded from that.
    async fn observe_fleet(&self) -> Result<BTreeMap<FleetPart, FleetObject>, BackendError>;

    /// Takes a step: idempotent, makes no choices, does not wait for what it started.
    ///
    /// # Errors
    ///
    /// When it can't be taken now; it is planned again after the next look.
    async fn apply_fleet(&self, step: &FleetStep) -> Result<(), BackendError>;
}

/// Who answers for the sites' names where that is none of the fleet's own nodes, such as a cloud's DNS service.
#[async_trait]
pub trait NameService: fmt::Debug + Send + Sync + 'static {
    /// Makes it answer with these records and no others. Returns how many were changed.
    ///
    /// # Errors
    ///
    /// When it can't be read or changed; what was changed until then stays so.
    async fn keep(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError>;

    /// How many records are not as these, or not there.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    async fn lacks(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError>;
}
