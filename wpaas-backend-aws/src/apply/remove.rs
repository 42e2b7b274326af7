use wpaas_core::converge::{Applied, BackendError, Object, ObjectState, Part, StepReason};

use super::Task;
use crate::cloud::InstanceState;
use crate::error::conflict;
use crate::limiter::Call;

impl Task<'_> {
    /// Removes the step's part, which is this object.
    pub(super) async fn remove(&self, id: &str) -> Result<Applied, BackendError> {
        match self.step.part {
            Part::Network => self.remove_network(id).await,
            Part::DatabaseVolume(_) => self.remove_volume(id).await,
            Part::UploadsVolume => self.remove_uploads(id).await,
            Part::Release(_) => self.remove_release(id).await,
            _ => self.remove_node(id).await,
        }
    }

    /// AWS has it stop gracefully, which takes up to minutes; until then it is on its way out. Its files go first,
    /// so that nothing is left of it if this process ends here: without them it is half made, and removed.
    async fn remove_node(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let Some(found) = listing.instances.iter().find(|found| found.it.id == id) else {
            return Ok(Applied::Absent);
        };
        if found.tag.part != self.step.part {
            return Err(conflict(format!("{id} is not {} of {}", self.step.part, self.step.site)));
        }
        // A listing of the bucket that was cut short has shown a whole node without its files.
        let is_whole = Self::present(&listing, found).state == ObjectState::Ready;
        if self.step.why == StepReason::Unfinished && is_whole {
            return Err(conflict(format!("{} of {} is not half made", self.step.part, self.step.site)));
        }
        self.delete(vec![self.inner.keys.node(id), self.inner.keys.report(id)]).await?;
        if found.it.state == InstanceState::Terminated {
            return Ok(Applied::Absent);
        }
        match self.ec2(Call::TerminateInstances).await.terminate_instance(id).await {
            Err(error) if error.is_not_found() => Ok(Applied::Absent),
            Err(error) => Err(self.failed("ending", error)),
            Ok(()) => {
                let leaving = Self::present(&listing, found);
                Ok(Applied::Present(Object { state: ObjectState::Removing, ..leaving }))
            }
        }
    }
}
