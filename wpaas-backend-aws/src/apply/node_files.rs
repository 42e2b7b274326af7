//! What a node is given after it was made: an object that only it can read.

use serde::{Deserialize, Serialize};
use wpaas_core::converge::{Applied, BackendError, FileContent, NodeFile, NodeSpec, ObjectState, Part};
use wpaas_core::id::SiteId;
use wpaas_core::secret::{SecretName, SecretRef};

use super::Task;
use crate::cloud::When;
use crate::config::Reports;
use crate::error::{conflict, no_secret};

/// The port on the node itself at which reports for the bucket are taken.
pub(crate) const RELAY: u16 = 8010;

/// All that a node is given.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NodeFiles {
    pub site: SiteId,
    pub part: Part,
    pub machine: Machine,
    pub files: Vec<Written>,
}

/// What the machine has to do before the node can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The volume of a database node.
    pub volume: Option<String>,
    /// The key of the addresses of the site's nodes.
    pub hosts: String,
    /// Where uploads are in the bucket, and where WordPress expects them.
    pub uploads: Option<(String, String)>,
    /// The key of the release's archive, and where it is expected.
    pub release: Option<(String, String)>,
}

/// A file below `/etc/wpaas`; its content may be secret, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Written {
    pub path: String,
    pub mode: u32,
    pub group: String,
    pub content: String,
}

impl NodeFiles {
    /// Puts files in the place of those of the same names.
    fn put(&mut self, files: Vec<Written>) {
        self.files.retain(|old| files.iter().all(|new| new.path != old.path));
        self.files.extend(files);
    }
}

impl Task<'_> {
    pub(super) async fn node_files(
        &self,
        spec: &NodeSpec,
        machine: Machine,
    ) -> Result<NodeFiles, BackendError> {
        let (site, part) = (self.step.site, self.step.part);
        let report = match &self.inner.config.reports {
            Reports::Bucket => format!("http://127.0.0.1:{RELAY}"),
            Reports::Direct(url) => url.clone(),
        };
        let about = format!("site={site}\npart={part}\nreport={report}/reports/{site}/{part}\n");
        let token = SecretRef { site, name: SecretName::ReportToken(part), version: 1 };
        let own = [
            ("node.conf", 0o444, FileContent::Text(about)),
            ("secrets/report-token", 0o400, FileContent::Secret(token)),
        ];
        let own =
            own.map(|(path, mode, content)| NodeFile { path: path.to_owned(), mode, group: "root", content });
        let mut files = self.written(&own).await?;
        files.extend(self.written(&spec.files).await?);
        Ok(NodeFiles { site, part, machine, files })
    }

    async fn written(&self, files: &[NodeFile]) -> Result<Vec<Written>, BackendError> {
        let mut written = Vec::with_capacity(files.len());
        for NodeFile { path, mode, group, content } in files {
            let content = match content {
                FileContent::Text(text) => text.clone(),
                FileContent::Secret(secret) => {
                    let value = self.inner.secrets.get(secret).await;
                    value.map_err(|error| no_secret(path, error))?.expose().to_owned()
                }
            };
            written.push(Written { path: path.clone(), mode: *mode, group: (*group).to_owned(), content });
        }
        Ok(written)
    }

    pub(super) async fn write_files(
        &self,
        id: &str,
        files: &NodeFiles,
        when: When<'_>,
    ) -> Result<(), BackendError> {
        let content =
            serde_json::to_vec(files).map_err(|error| conflict("files can't be written").caused_by(error))?;
        match self.inner.cloud.bucket.put(&self.inner.keys.node(id), content, when).await {
            Err(error) if error.is("PreconditionFailed") || error.is("ConditionalRequestConflict") => {
                Err(conflict(format!("the files of {} were changed by somebody else", self.step.part)))
            }
            put => put.map(drop).map_err(|error| self.failed("giving its files to", error)),
        }
    }

    /// Gives a running node these files anew; it sees the change within seconds.
    pub(super) async fn configure(&self, id: &str, files: &[NodeFile]) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if Self::present(&listing, self.own_node(&listing, id)?).state != ObjectState::Ready {
            return Err(conflict(format!("{} of {} does not run", self.step.part, self.step.site)));
        }
        let there = self.inner.cloud.bucket.get(&self.inner.keys.node(id)).await;
        let there = there.map_err(|error| self.failed("looking at the files of", error))?;
        let there = there.ok_or_else(|| conflict(format!("{} has no files", self.step.part)))?;
        let mut all: NodeFiles = serde_json::from_slice(&there.content)
            .map_err(|error| conflict(format!("the files of {id} can't be read")).caused_by(error))?;
        if (all.site, all.part) != (self.step.site, self.step.part) {
            return Err(conflict(format!("{id} is not {} of {}", self.step.part, self.step.site)));
        }
        all.put(self.written(files).await?);
        self.write_files(id, &all, When::Is(&there.etag)).await?;
        Ok(Applied::Told)
    }
}
