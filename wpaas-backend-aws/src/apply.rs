//! Steps: each is asked of AWS as the planner decided it.

use std::sync::Arc;

use tokio::time::Instant;
use wpaas_core::converge::{Action, Applied, BackendError, Object, Part, Scope, Step};

use crate::backend::Inner;
use crate::cloud::{CloudError, Ec2};
use crate::error::{conflict, transient};
use crate::limiter::{Call, Urgency};
use crate::listing::Listing;
use crate::tag::Mark;

mod bucket;
mod died;
mod hosts;
mod launch;
mod network;
mod node;
mod node_files;
mod remove;
mod volume;

#[cfg(any(test, feature = "testing"))]
pub(crate) use node_files::NodeFiles;

/// One step on its way to AWS.
struct Task<'a> {
    inner: &'a Arc<Inner>,
    step: &'a Step,
    urgency: Urgency,
}

impl Inner {
    pub(crate) async fn apply(self: &Arc<Self>, step: &Step) -> Result<Applied, BackendError> {
        let task = Task { inner: self, step, urgency: self.urgency(step) };
        task.fence(self.sightings().mark(step.site))?;
        self.sightings().tend(step.site, step.epoch, Instant::now());
        if matches!(step.action, Action::Remove { .. }) && self.sightings().freezes(Instant::now()) {
            return Err(transient(
                "listings miss much of what was there: nothing is removed until they show it again",
            ));
        }
        let applied = match &step.action {
            Action::CreateNetwork => task.create_network().await,
            Action::CreateVolume => task.create_volume().await,
            Action::CreateRelease { digest, .. } => task.create_release(digest).await,
            Action::CreateNode(spec) => task.create_node(spec).await,
            Action::StartNode { object } => task.start_node(&object.to_string()).await,
            Action::Order { object, boot, order } => {
                task.configure(&object.to_string(), &[order.file(boot)]).await
            }
            Action::Configure { object, files } => task.configure(&object.to_string(), files).await,
            Action::Lead { object } => task.lead(&object.to_string()).await,
            Action::Remove { object } => task.remove(&object.to_string()).await,
        }?;
        self.remember(step, &applied);
        Ok(applied)
    }

    /// What is made for a site that has never served can wait for what mends one that does.
    fn urgency(&self, step: &Step) -> Urgency {
        match step.action {
            Action::CreateNetwork
            | Action::CreateVolume
            | Action::CreateRelease { .. }
            | Action::CreateNode(_)
                if !self.sightings().is_established(step.site, Instant::now()) =>
            {
                Urgency::Bulk
            }
            _ => Urgency::Repair,
        }
    }

    fn remember(&self, step: &Step, applied: &Applied) {
        match (applied, &step.action) {
            (Applied::Present(object), _) => {
                self.sightings().put(step.site, object.clone(), Instant::now());
            }
            (Applied::Absent, Action::Remove { object }) => {
                self.sightings().gone(step.site, step.part, &object.to_string());
            }
            (Applied::Absent | Applied::Told, _) => {}
        }
    }
}

impl Task<'_> {
    async fn ec2(&self, call: Call) -> &dyn Ec2 {
        self.inner.cloud.ec2(call, self.urgency).await
    }

    /// What there is of the site now; refused if something of it is newer than the step.
    async fn look(&self) -> Result<Listing, BackendError> {
        let listing = self.inner.list(&Scope::Site(self.step.site)).await?;
        self.fence(listing.mark())?;
        Ok(listing)
    }

    /// Refuses a step that is older than a part of its site.
    fn fence(&self, newest: Option<Mark>) -> Result<(), BackendError> {
        match newest {
            Some(newest) if newest > (self.step.generation, self.step.epoch) => Err(conflict(format!(
                "a part of {} was made for generation {} in epoch {}: this plan is old",
                self.step.site, newest.0, newest.1
            ))),
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, error: CloudError) -> BackendError {
        error.because(format!("{what} {} of {}", self.step.part, self.step.site))
    }

    fn installation(&self) -> &str {
        &self.inner.config.installation
    }

    /// The node that this id names, in a look; a conflict when it is another part's, or none's.
    fn own_node<'l>(
        &self,
        listing: &'l Listing,
        id: &str,
    ) -> Result<&'l crate::listing::Found<crate::cloud::Instance>, BackendError> {
        let Step { site, part, .. } = *self.step;
        listing.nodes(site, part).find(|found| found.it.id == id).ok_or_else(|| {
            conflict(format!("{part} of {site} is not the instance {id}, as far as can be seen"))
        })
    }

    /// What a node in a look is.
    fn present(listing: &Listing, found: &crate::listing::Found<crate::cloud::Instance>) -> Object {
        crate::objects::node(listing, found)
    }

    fn data_volume(&self) -> Option<Part> {
        match self.step.part {
            Part::Database(n) => Some(Part::DatabaseVolume(n)),
            _ => None,
        }
    }
}
