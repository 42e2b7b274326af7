use wpaas_core::converge::{Applied, BackendError, Mount, NodeSpec, Object, ObjectState, Part};

use super::Task;
use super::node_files::{Machine, NodeFiles};
use crate::cloud::{Instance, InstanceState, When};
use crate::error::{conflict, transient};
use crate::limiter::Call;
use crate::listing::{Found, Listing};
use crate::objects::{self, Side};
use crate::tag::Tag;

/// As what a database node finds its volume.
const DEVICE: &str = "/dev/sdf";

impl Task<'_> {
    /// Makes a node. Its files follow as soon as its id is known, and it waits for them.
    ///
    /// A crash on the way leaves an instance without files, which is listed as incomplete; the step run again
    /// gives it its files.
    pub(super) async fn create_node(&self, spec: &NodeSpec) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if let Some(there) = self.present_node(&listing, spec)? {
            return Ok(Applied::Present(there));
        }
        self.needs(&listing, spec)?;
        self.outlived(&listing)?;
        let segment = self.segment().await?;
        let files = self.files_of(&listing, spec, &segment).await?;
        let stored = self.inner.store_setup().await;
        stored.map_err(|error| self.failed("storing the set-up of", error))?;
        let instance = self.run(&listing, spec).await?;
        let ip = instance.private_ip;
        let ip = ip.ok_or_else(|| transient(format!("{} has no address yet", self.step.part)))?;
        self.announce(&segment, ip).await?;
        self.write_files(&instance.id, &files, When::Always).await?;
        Ok(Applied::Present(self.made(&instance.id, spec)))
    }

    /// The node if it is there as wanted; anything else but one that was left half made is a conflict.
    fn present_node(&self, listing: &Listing, spec: &NodeSpec) -> Result<Option<Object>, BackendError> {
        let (site, part) = (self.step.site, self.step.part);
        for found in listing.nodes(site, part) {
            let object = objects::node(listing, found);
            match object.state {
                ObjectState::Incomplete if object.fingerprint == Some(spec.fingerprint) => {}
                ObjectState::Ready if object.fingerprint == Some(spec.fingerprint) => {
                    return Ok(Some(object));
                }
                _ => {
                    return Err(conflict(format!(
                        "{part} of {site} is there as {}, and not as wanted",
                        found.it.id
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Refuses to make a node before what it needs is there.
    fn needs(&self, listing: &Listing, spec: &NodeSpec) -> Result<(), BackendError> {
        let site = self.step.site;
        let network = Side::ALL.iter().all(|side| side.of(listing, self.installation(), site).is_some());
        let there = |part| match part {
            Part::DatabaseVolume(_) => listing.volume(site, part).is_some(),
            _ => listing.note(site, part).is_some_and(|note| note.whole),
        };
        let missing = spec.mounts.iter().map(|mount| mount.part).find(|part| !there(*part));
        match missing.or((!network).then_some(Part::Network)) {
            Some(part) => Err(conflict(format!("{part} of {site} is not there yet, as far as can be seen"))),
            None => Ok(()),
        }
    }

    async fn files_of(
        &self,
        listing: &Listing,
        spec: &NodeSpec,
        segment: &str,
    ) -> Result<NodeFiles, BackendError> {
        let site = self.step.site;
        let volume = self.data_volume().and_then(|part| listing.volume(site, part));
        let path = |wanted: fn(Part) -> bool| {
            let mount = |mount: &&Mount| wanted(mount.part);
            spec.mounts.iter().find(mount).map(|mount| (mount.part, mount.path.clone()))
        };
        let keys = &self.inner.keys;
        let machine = Machine {
            volume: volume.map(|found| found.it.id.clone()),
            hosts: keys.hosts(segment),
            uploads: path(|part| part == Part::UploadsVolume).map(|(_, path)| (keys.uploads(segment), path)),
            release: path(|part| matches!(part, Part::Release(_)))
                .map(|(part, path)| (keys.release(segment, part), path)),
        };
        self.node_files(spec, machine).await
    }

    fn made(&self, id: &str, spec: &NodeSpec) -> Object {
        let tag = Tag { fingerprint: Some(spec.fingerprint), ..Tag::of(self.step) };
        let node = objects::object(self.step.part, id, tag.mark, ObjectState::Ready);
        Object { fingerprint: tag.fingerprint, ..node }
    }

    /// Starts a node that was stopped, and attaches a database node's volume as soon as it can be.
    pub(super) async fn start_node(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let found = self.own_node(&listing, id)?;
        match found.it.state {
            InstanceState::Stopped => {
                let started = self.ec2(Call::StartInstances).await.start_instance(id).await;
                started.map_err(|error| self.failed("starting", error))?;
            }
            InstanceState::Pending => {}
            InstanceState::Running => self.attach(&listing, found).await?,
            InstanceState::Stopping | InstanceState::ShuttingDown | InstanceState::Terminated => {
                return Err(conflict(format!("{} of {} is still stopping", self.step.part, self.step.site)));
            }
        }
        let object = Self::present(&listing, found);
        Ok(Applied::Present(Object { state: ObjectState::Ready, ..object }))
    }

    async fn attach(&self, listing: &Listing, found: &Found<Instance>) -> Result<(), BackendError> {
        if !objects::lacks_its_volume(listing, found) {
            return Ok(());
        }
        let volume = self.data_volume().and_then(|part| listing.volume(self.step.site, part));
        let Some(volume) = volume else { return Ok(()) };
        let attached =
            self.ec2(Call::AttachVolume).await.attach_volume(&volume.it.id, &found.it.id, DEVICE).await;
        attached.map_err(|error| self.failed("attaching the volume of", error))
    }
}
