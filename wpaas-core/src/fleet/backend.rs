use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use super::{FleetObject, FleetPart, FleetStep};
use crate::converge::BackendError;

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
