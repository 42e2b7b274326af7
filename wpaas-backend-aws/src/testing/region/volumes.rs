//! Volumes.

use std::time::Duration;

use tokio::time::Instant;

use super::{Disk, Region, not_found};
use crate::cloud::{CloudError, Filter, InstanceState, NewVolume, Page, Volume, VolumeState};

const CREATING: Duration = Duration::from_secs(3);

impl Disk {
    /// Whether a call finds it by its id.
    fn is_found(&self, at: Instant) -> bool {
        self.deleted.is_none() && self.created <= at
    }
}

impl Region {
    pub(crate) fn create_volume(&mut self, new: &NewVolume, now: Instant) -> Result<Volume, CloudError> {
        let parameters = format!("{new:?}");
        if let Some(id) = self.known(&new.token, &parameters)?.cloned() {
            let disk = self.volumes.get(&id).ok_or_else(|| not_found("InvalidVolume", &id))?;
            if disk.deleted.is_some() {
                return Err(not_found("InvalidVolume", &id));
            }
            return Ok(self.volume(&id, disk, now));
        }
        let id = self.id("vol");
        let disk = Disk {
            zone: new.zone.clone(),
            tags: new.tags.clone(),
            created: now,
            deleted: None,
            attached: None,
        };
        let volume = self.volume(&id, &disk, now);
        self.volumes.put(id.clone(), &new.tags, disk);
        self.tokens.insert(new.token.clone(), (parameters, id));
        Ok(volume)
    }

    fn volume(&self, id: &str, disk: &Disk, at: Instant) -> Volume {
        let attached = disk.attached.as_ref().filter(|(by, since)| *since <= at && !self.has_let_go(by, at));
        let state = match () {
            () if at.saturating_duration_since(disk.created) < CREATING => VolumeState::Creating,
            () if attached.is_some() => VolumeState::InUse,
            () => VolumeState::Available,
        };
        Volume {
            id: id.to_owned(),
            state,
            zone: disk.zone.clone(),
            instance: attached.map(|(by, _)| by.clone()),
            created: self.unix(disk.created),
            tags: disk.tags.clone(),
        }
    }

    pub(crate) fn volumes(&self, filter: &Filter, next: Option<&str>, now: Instant) -> Page<Volume> {
        let at = self.seen_at(now);
        let seen = |disk: &Disk| disk.created <= at && disk.deleted.is_none_or(|deleted| deleted > at);
        self.volumes.page(filter, next, self.page, |id, disk| seen(disk).then(|| self.volume(id, disk, at)))
    }

    pub(crate) fn attach(&mut self, volume: &str, instance: &str, now: Instant) -> Result<(), CloudError> {
        let state = self.machine(instance, now)?.state(now);
        if !matches!(state, InstanceState::Running | InstanceState::Stopped) {
            return Err(CloudError::new("IncorrectState", format!("Instance '{instance}' is not 'running'")));
        }
        let disk = self.volumes.get(volume).filter(|disk| disk.is_found(self.seen_at(now)));
        let disk = disk.ok_or_else(|| not_found("InvalidVolume", volume))?;
        let shown = self.volume(volume, disk, now);
        if shown.zone != self.machine(instance, now)?.zone {
            return Err(CloudError::new(
                "InvalidVolume.ZoneMismatch",
                "The volume is not in the instance's zone",
            ));
        }
        match shown.state {
            VolumeState::Available => {}
            VolumeState::InUse if shown.instance.as_deref() == Some(instance) => {
                return Err(CloudError::new(
                    "VolumeInUse",
                    format!("{volume} is already attached to an instance"),
                ));
            }
            _ => return Err(CloudError::new("IncorrectState", format!("{volume} is not 'available'"))),
        }
        self.machine(instance, now)?.volumes.push((volume.to_owned(), now));
        if let Some(disk) = self.volumes.get_mut(volume) {
            disk.attached = Some((instance.to_owned(), now));
        }
        Ok(())
    }

    pub(crate) fn lose_volumes(&mut self, instance: &str, now: Instant) {
        let used = |disk: &Disk| disk.attached.as_ref().is_some_and(|(by, _)| by == instance);
        for (_, disk) in self.volumes.iter_mut().filter(|(_, disk)| used(disk)) {
            disk.deleted = Some(now);
        }
        self.terminate(instance, now).ok();
    }

    pub(crate) fn delete_volume(&mut self, id: &str, now: Instant) -> Result<(), CloudError> {
        let disk = self.volumes.get(id).filter(|disk| disk.is_found(self.seen_at(now)));
        let disk = disk.ok_or_else(|| not_found("InvalidVolume", id))?;
        if self.volume(id, disk, now).state == VolumeState::InUse {
            return Err(CloudError::new("VolumeInUse", format!("Volume {id} is currently attached")));
        }
        if let Some(disk) = self.volumes.get_mut(id) {
            disk.deleted = Some(now);
        }
        Ok(())
    }
}
