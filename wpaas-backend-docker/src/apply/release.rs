use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveVolumeOptions, RenameContainerOptionsBuilder,
};
use futures::StreamExt as _;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{Applied, BackendError, NodeRole, ObjectState};

use super::Task;
use crate::archive;
use crate::error::{status, transient};
use crate::label::Labels;
use crate::listing::Listing;
use crate::node::volume_at;
use crate::{name, objects};

/// Where the stock `wp-content` is in the image, which an empty volume there is filled with.
const STOCK_CONTENT: &str = "/srv/wordpress/wp-content";
/// Where nothing is.
const ELSEWHERE: &str = "/srv/release";

impl Task<'_> {
    /// Fills a volume with the release.
    ///
    /// The volume belongs to a keeper: a container that never starts, through which the Engine fills it. Its last
    /// name is given when all is done, in one go: that is the mark of a whole release. What a crash leaves is
    /// listed as incomplete, and the step run again starts over.
    pub(super) async fn create_release(
        &self,
        digest: &Digest,
        layout: Layout,
    ) -> Result<Applied, BackendError> {
        let image = self.inner.image(&self.connection, NodeRole::Wordpress).await?;
        let listing = self.look().await?;
        if let Some(there) = listing.volume(self.step.site, self.step.part)
            && objects::is_kept(&listing, &there.name, &there.labels)
        {
            return Ok(Applied::Present(objects::object(&there.labels, &there.name, ObjectState::Ready)));
        }
        let (volume, labels) = match self.clear(&listing).await? {
            Some(kept) => kept,
            None => self.make_volume().await?,
        };
        let keeper = self.make_keeper(&image.name, &volume, layout).await?;
        self.fill(&keeper, digest, layout).await?;
        let rename =
            RenameContainerOptionsBuilder::new().name(&name::of(self.step.site, self.step.part)).build();
        let renamed = self.docker().rename_container(&keeper, rename).await;
        renamed.map_err(|error| self.failed("completing", error))?;
        Ok(Applied::Present(objects::object(&labels, &volume, ObjectState::Ready)))
    }

    /// Removes what an earlier try left. A volume that nodes use (its keeper was removed by hand) is kept, to be
    /// filled again with the same files.
    async fn clear(&self, listing: &Listing) -> Result<Option<(String, Labels)>, BackendError> {
        for keeper in listing.containers(self.step.site, self.step.part) {
            self.remove_container(&keeper.id, true).await?;
        }
        let Some(volume) = listing.volume(self.step.site, self.step.part) else { return Ok(None) };
        match self.docker().remove_volume(&volume.name, None::<RemoveVolumeOptions>).await {
            Err(error) if status(&error) == Some(409) => Ok(Some((volume.name.clone(), volume.labels))),
            Err(error) if status(&error) != Some(404) => Err(self.failed("removing a half-filled", error)),
            _ => Ok(None),
        }
    }

    async fn make_keeper(&self, image: &str, volume: &str, layout: Layout) -> Result<String, BackendError> {
        let labels = Labels::of(self.step).write(&self.inner.config.installation);
        let mut mount = volume_at(place(layout), volume.to_owned(), false, labels);
        if let Some(options) = &mut mount.volume_options {
            options.no_copy = Some(layout != Layout::ContentWithoutTheme);
        }
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["/bin/false".to_owned()]),
            labels: Some(Labels::of(self.step).write(&self.inner.config.installation)),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                mounts: Some(vec![mount]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let filling = name::filling(self.step.site, self.step.part);
        let options = CreateContainerOptionsBuilder::new().name(&filling).build();
        let created = self.docker().create_container(Some(options), body).await;
        Ok(created.map_err(|error| self.failed("creating the keeper of", error))?.id)
    }

    /// Unpacks the stored archive, and the folder that nodes mount the uploads on: in a volume that can't be
    /// written, the Engine could not make it.
    async fn fill(&self, keeper: &str, digest: &Digest, layout: Layout) -> Result<(), BackendError> {
        let archive = self.inner.releases.open(digest).await.map_err(|error| {
            transient(format!("the archive of release {digest} can't be read")).caused_by(error)
        })?;
        let failed = |error| self.failed("filling", error);
        self.unpack_stream(keeper, place(layout), archive.boxed()).await.map_err(failed)?;
        let uploads = match layout {
            Layout::Tree => "wp-content/uploads",
            Layout::Content | Layout::ContentWithoutTheme => "uploads",
        };
        self.unpack(keeper, place(layout), archive::of_uploads(uploads)?).await.map_err(failed)
    }
}

const fn place(layout: Layout) -> &'static str {
    match layout {
        Layout::ContentWithoutTheme => STOCK_CONTENT,
        Layout::Content | Layout::Tree => ELSEWHERE,
    }
}
