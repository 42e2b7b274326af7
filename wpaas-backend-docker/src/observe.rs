//! Looking: three listings, and a few containers looked at closely in turn.

use std::collections::BTreeSet;

use bollard::Docker;
use futures::future::join_all;
use jiff::Timestamp;
use wpaas_core::converge::{BackendError, Coverage, Object, ObjectState, Observation, Run, Scope};
use wpaas_core::id::SiteId;

use crate::backend::Inner;
use crate::error::status;
use crate::host;
use crate::listing::{FoundContainer, Listing};
use crate::objects::objects;

/// Containers inspected per look at the fleet.
const INSPECTIONS: usize = 8;

impl Inner {
    pub(crate) async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let connection = self.engine.connect().await?;
        self.settle(&connection.docker, scope).await;
        let listing = self.list(&connection.docker, scope).await?;
        self.memory.learn(scope, &listing);
        self.look_closely(&connection.docker, scope, &listing).await;
        let mut objects = objects(&listing, self.ports(&connection));
        for (_, object) in &mut objects {
            self.correct(object);
        }
        let runs = self.runs(&listing);
        let coverage = if listing.unreadable == 0 { Coverage::Complete } else { Coverage::Partial };
        Ok(Observation { coverage, objects, runs })
    }

    /// The Engine tells of a container's end just before its listings do, while it holds the container: an
    /// inspection waits for that, so that the listing which follows knows. Without it, the hint would be lost
    /// on a listing that is too early, and the end be found by the next resync.
    async fn settle(&self, docker: &Docker, scope: &Scope) {
        let ended = self.memory.take_ended(scope, INSPECTIONS);
        join_all(ended.into_iter().map(|(site, id, at)| self.settle_one(docker, site, id, at))).await;
    }

    /// The end of a container that was heard of is kept at once: it may be gone with the next call. Of one that is
    /// gone already it is the event's.
    async fn settle_one(&self, docker: &Docker, site: SiteId, id: String, at: Option<Timestamp>) {
        let ended = match docker.inspect_container(&id, None).await {
            Ok(container) => self.ran(&id, &container),
            Err(error) if status(&error) == Some(404) => {
                self.memory.forget_run(&id).map(|run| Run { ended_at: run.ended_at.or(at), ..run })
            }
            // What can't be inspected is no news.
            Err(_) => None,
        };
        if let Err(error) = self.tell_end(site, ended).await {
            tracing::warn!(%error, container = id, "the end of a node is told again when it is removed");
        }
    }

    pub(crate) async fn list(&self, docker: &Docker, scope: &Scope) -> Result<Listing, BackendError> {
        let listing = Listing::fetch(docker, &self.config.installation, scope).await;
        listing.map_err(|error| self.engine.failed("listing what there is", error))
    }

    /// One site, as it is now.
    pub(crate) async fn list_site(&self, docker: &Docker, site: SiteId) -> Result<Listing, BackendError> {
        self.list(docker, &Scope::Site(site)).await
    }

    /// Compares a bounded number of containers with what they were made as. A container that can't be inspected
    /// is no news: it may just have gone.
    async fn look_closely(&self, docker: &Docker, scope: &Scope, listing: &Listing) {
        let nodes = || listing.containers.iter().filter(|found| found.labels.part.is_node());
        self.suspect_runs(scope, listing, INSPECTIONS);
        let ids: BTreeSet<&str> = nodes().map(|found| found.id.as_str()).collect();
        let due = self.memory.due(&ids, matches!(scope, Scope::Fleet), INSPECTIONS);
        let due = nodes().filter(|found| due.contains(&found.id));
        join_all(due.map(|found| self.inspect(docker, found))).await;
    }

    async fn inspect(&self, docker: &Docker, found: &FoundContainer) {
        match docker.inspect_container(&found.id, None).await {
            Ok(container) => {
                self.ran(&found.id, &container);
                if let Some(drifted) = host::has_drifted(&found.labels, &container) {
                    self.memory.set_drifted(&found.id, drifted);
                }
            }
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => tracing::debug!(%error, container = found.name, "a container can't be inspected"),
        }
    }

    /// Adds what is known beside the listing.
    fn correct(&self, object: &mut Object) {
        if self.memory.has_drifted(&object.id) {
            object.fingerprint = None;
        }
        if self.memory.is_leaving(&object.id) {
            object.state = ObjectState::Removing;
        }
    }
}
