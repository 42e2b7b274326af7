use bollard::models::VolumeCreateRequest;
use jiff::Timestamp;
use wpaas_core::converge::{Applied, BackendError, ObjectState};

use super::Task;
use crate::error::conflict;
use crate::label::{Labels, MADE};
use crate::name;
use crate::objects::object;

impl Task<'_> {
    /// Makes the volume, unless the part has one.
    pub(super) async fn create_volume(&self) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let there = listing.volume(self.step.site, self.step.part);
        let (name, labels) = match there {
            Some(found) => (found.name.clone(), found.labels),
            None => self.make_volume().await?,
        };
        Ok(Applied::Present(object(&labels, &name, ObjectState::Ready)))
    }

    /// Makes a volume for the step's part. The Engine answers with what is there already when the name is taken,
    /// so that the answer's labels are looked at.
    pub(super) async fn make_volume(&self) -> Result<(String, Labels), BackendError> {
        let labels = Labels::of(self.step);
        let mut written = labels.write(&self.inner.config.installation);
        written.insert(MADE.to_owned(), Timestamp::now().to_string());
        let request = VolumeCreateRequest {
            name: Some(name::volume(self.step.site, self.step.part, self.step.generation)),
            labels: Some(written),
            ..VolumeCreateRequest::default()
        };
        let volume = self.docker().create_volume(request).await;
        let volume = volume.map_err(|error| self.failed("creating", error))?;
        let labels = self.own(Some(&volume.labels)).map_err(|_| {
            conflict(format!("a volume {} is there that is not ours: remove or rename it", volume.name))
        })?;
        self.inner.memory.made(&labels);
        Ok((volume.name, labels))
    }
}
