use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use wpaas_core::converge::{
    Action, Applied, Backend, BackendError, Capabilities, Coverage, ErrorClass, Observation, Scope, Step,
};
use wpaas_core::id::SiteId;

use super::Watch;
use crate::problem::chain;

/// A backend, watched.
#[derive(Debug)]
pub struct WatchedBackend {
    /// What does the work.
    pub inner: Arc<dyn Backend>,
    /// Who watches.
    pub watch: Watch,
}

#[async_trait]
impl Backend for WatchedBackend {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let result = self.inner.observe(scope).await;
        let (outcome, seen) = match &result {
            Ok(Observation { coverage: Coverage::Complete, .. }) => ("complete", Ok(())),
            Ok(Observation { coverage: Coverage::Partial, .. }) => {
                ("partial", Err("a part of what is there could not be listed".to_owned()))
            }
            Err(error) => (class(error.class), Err(chain(error))),
        };
        self.watch.looked(outcome, (*scope == Scope::Fleet).then_some(seen));
        result
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        let result = self.inner.apply(step).await;
        let outcome = result.as_ref().map_or_else(|error| class(error.class), |_| "done");
        self.watch.stepped(action(&step.action), outcome);
        result
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}

const fn class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Transient => "transient",
        ErrorClass::Throttled { .. } => "throttled",
        ErrorClass::Conflict => "conflict",
        ErrorClass::Permanent => "permanent",
    }
}

const fn action(action: &Action) -> &'static str {
    match action {
        Action::CreateNetwork => "create_network",
        Action::CreateVolume => "create_volume",
        Action::CreateRelease { .. } => "create_release",
        Action::CreateNode(_) => "create_node",
        Action::StartNode { .. } => "start_node",
        Action::Lead { .. } => "lead",
        Action::Order { .. } => "order",
        Action::Configure { .. } => "configure",
        Action::Remove { .. } => "remove",
    }
}
