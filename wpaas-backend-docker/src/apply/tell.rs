use wpaas_core::converge::{Applied, BackendError, BootId, DatabaseOrder, FileContent, NodeFile};

use super::Task;
use crate::archive;
use crate::error::conflict;

impl Task<'_> {
    /// Writes the order that a database node waits for.
    pub(super) async fn order(
        &self,
        id: &str,
        boot: &BootId,
        order: DatabaseOrder,
    ) -> Result<Applied, BackendError> {
        let text = match order {
            DatabaseOrder::Found { number } => format!("found {number} {boot}\n"),
            DatabaseOrder::Join { number } => format!("join {number} {boot}\n"),
        };
        let content = FileContent::Text(text);
        self.configure(id, &[NodeFile { path: "order".to_owned(), mode: 0o400, group: "root", content }])
            .await
    }

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
