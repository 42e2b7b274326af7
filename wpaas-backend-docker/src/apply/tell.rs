use wpaas_core::converge::{Applied, BackendError, NodeFile};

use super::Task;
use crate::archive;
use crate::error::conflict;

impl Task<'_> {
    /// Replaces files of a running node.
    pub(super) async fn configure(&self, id: &str, files: &[NodeFile]) -> Result<Applied, BackendError> {
        let container = self.container(id).await?;
        let running = container.and_then(|(container, _)| container.state?.running).unwrap_or(false);
        if !running {
            return Err(conflict(format!("{} of {} does not run", self.step.part, self.step.site)));
        }
        let archive = archive::of_node(files, &*self.inner.secrets).await?;
        self.unpack(id, "/etc", archive).await.map_err(|error| self.failed("configuring", error))?;
        Ok(Applied::Told)
    }
}
