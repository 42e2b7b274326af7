use jiff::Timestamp;
use wpaas_core::converge::{Applied, BackendError, ObjectState, Part};

use super::Task;
use crate::cloud::{NewVolume, Volume, VolumeState};
use crate::error::{conflict, transient};
use crate::limiter::Call;
use crate::objects::object;
use crate::runs;
use crate::tag::{Mark, Tag};
use crate::token;

/// Volumes that were made under the same token before and are gone, at most.
const GONE_BEFORE: u32 = 8;

impl Task<'_> {
    pub(super) async fn create_volume(&self) -> Result<Applied, BackendError> {
        let Part::DatabaseVolume(n) = self.step.part else { return self.create_uploads().await };
        let listing = self.look().await?;
        if let Some(there) = listing.volume(self.step.site, self.step.part) {
            return Ok(present(self.step.part, &there.it, there.tag.mark));
        }
        let zone = self.subnet(n)?.zone.clone();
        let tag = Tag::of(self.step);
        for attempt in 0..GONE_BEFORE {
            let gib = self.inner.config.database_gib;
            let token = token::of(self.step, &[&zone, &gib.to_string()], attempt);
            let new = NewVolume { token, zone: zone.clone(), gib, tags: tag.write(self.installation()) };
            match self.ec2(Call::CreateVolume).await.create_volume(&new).await {
                // Made before under this token, and removed since.
                Ok(volume) if volume.state == VolumeState::Deleting => {}
                Err(error) if error.is("InvalidVolume.NotFound") => {}
                // Made before by another epoch, and removed since: a listing would show it.
                Err(error) if error.is("IdempotentParameterMismatch") && self.inner.is_settled(self.step) => {
                }
                Ok(volume) => return Ok(present(self.step.part, &volume, tag.mark)),
                Err(error) => return Err(self.failed("making", error)),
            }
        }
        Err(transient(format!("{} of {} was removed too often lately", self.step.part, self.step.site)))
    }

    /// The subnet, and so the zone, of the n-th of something.
    pub(super) fn subnet(&self, n: u8) -> Result<&crate::config::Subnet, BackendError> {
        let subnets = &self.inner.config.subnets;
        let at = usize::from(n).checked_rem(subnets.len());
        at.and_then(|at| subnets.get(at)).ok_or_else(|| {
            BackendError::new(
                wpaas_core::converge::ErrorClass::Permanent,
                "no subnet is configured: see aws.subnets",
            )
        })
    }

    pub(super) async fn remove_volume(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let ours = listing.volumes.iter().find(|found| found.it.id == id);
        let run = match ours {
            None => return Ok(Applied::Absent),
            Some(found) if found.tag.part != self.step.part => {
                return Err(conflict(format!("{id} is not {} of {}", self.step.part, self.step.site)));
            }
            Some(found) => runs::of_volume(found, Some(Timestamp::now())),
        };
        self.inner.tell_end(self.step.site, run).await?;
        match self.ec2(Call::DeleteVolume).await.delete_volume(id).await {
            Err(error) if !error.is_not_found() => Err(self.failed("removing", error)),
            _ => Ok(Applied::Absent),
        }
    }
}

fn present(part: Part, volume: &Volume, mark: Mark) -> Applied {
    let state = match volume.state {
        VolumeState::Error => ObjectState::Broken,
        VolumeState::Deleting => ObjectState::Removing,
        VolumeState::Creating | VolumeState::Available | VolumeState::InUse => ObjectState::Ready,
    };
    Applied::Present(object(part, &volume.id, mark, state))
}
