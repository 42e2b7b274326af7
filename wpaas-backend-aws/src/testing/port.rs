//! The cheap front: the port itself.

use std::path::Path;

use async_trait::async_trait;

use super::Simulator;
use super::region::Region;
use super::zone::WORK;
use crate::cloud::{
    Address, Blob, Bucket, CloudError, Ec2, Filter, Group, Image, Instance, Key, Launch, NewGroup, NewVolume,
    Page, Record, RecordChange, Rule, Tags, Volume, When, Zone,
};

#[async_trait]
impl Ec2 for Simulator {
    async fn instances(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Instance>, CloudError> {
        self.listing("DescribeInstances", |state, now| state.region.instances(filter, next, now)).await
    }

    async fn image(&self, id: &str) -> Result<Image, CloudError> {
        self.call("DescribeImages", |_, _| Region::image(id)).await
    }

    async fn run_instance(&self, launch: &Launch) -> Result<Instance, CloudError> {
        self.call("RunInstances", |state, now| state.region.run(launch, now)).await
    }

    async fn start_instance(&self, id: &str) -> Result<(), CloudError> {
        self.call("StartInstances", |state, now| state.region.start(id, now)).await
    }

    async fn terminate_instance(&self, id: &str) -> Result<(), CloudError> {
        self.call("TerminateInstances", |state, now| state.region.terminate(id, now)).await
    }

    async fn volumes(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Volume>, CloudError> {
        self.listing("DescribeVolumes", |state, now| state.region.volumes(filter, next, now)).await
    }

    async fn create_volume(&self, volume: &NewVolume) -> Result<Volume, CloudError> {
        self.call("CreateVolume", |state, now| state.region.create_volume(volume, now)).await
    }

    async fn attach_volume(&self, volume: &str, instance: &str, _device: &str) -> Result<(), CloudError> {
        self.call("AttachVolume", |state, now| state.region.attach(volume, instance, now)).await
    }

    async fn delete_volume(&self, id: &str) -> Result<(), CloudError> {
        self.call("DeleteVolume", |state, now| state.region.delete_volume(id, now)).await
    }

    async fn groups(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Group>, CloudError> {
        self.listing("DescribeSecurityGroups", |state, now| state.region.groups(filter, next, now)).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<String, CloudError> {
        self.call("CreateSecurityGroup", |state, now| state.region.create_group(group, now)).await
    }

    async fn allow(&self, group: &str, rules: &[Rule]) -> Result<(), CloudError> {
        self.call("AuthorizeSecurityGroupIngress", |state, now| state.region.allow(group, rules, now)).await
    }

    async fn delete_group(&self, id: &str) -> Result<(), CloudError> {
        self.call("DeleteSecurityGroup", |state, now| state.region.delete_group(id, now)).await
    }

    async fn addresses(&self, filter: &Filter) -> Result<Page<Address>, CloudError> {
        self.listing("DescribeAddresses", |state, now| state.region.addresses(filter, now)).await
    }

    async fn allocate_address(&self, tags: &Tags) -> Result<Address, CloudError> {
        self.call("AllocateAddress", |state, now| state.region.allocate(tags, now)).await
    }

    async fn associate_address(&self, allocation: &str, instance: &str) -> Result<(), CloudError> {
        self.call("AssociateAddress", |state, now| state.region.associate(allocation, instance, now)).await
    }

    async fn release_address(&self, allocation: &str) -> Result<(), CloudError> {
        self.call("ReleaseAddress", |state, now| state.region.release(allocation, now)).await
    }
}

#[async_trait]
impl Bucket for Simulator {
    async fn list(&self, prefix: &str, next: Option<&str>) -> Result<Page<Key>, CloudError> {
        self.listing("ListObjectsV2", |state, _| state.bucket.list(prefix, next)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Blob>, CloudError> {
        self.call("GetObject", |state, _| Ok(state.bucket.get(key))).await
    }

    async fn put(&self, key: &str, content: Vec<u8>, when: When<'_>) -> Result<String, CloudError> {
        self.call("PutObject", |state, now| {
            let now = state.region.unix(now);
            state.bucket.put(key, content, when, now)
        })
        .await
    }

    async fn put_file(&self, key: &str, file: &Path) -> Result<(), CloudError> {
        let content = std::fs::read(file).map_err(|error| CloudError::unanswered(error.to_string()))?;
        self.put(key, content, When::Always).await.map(drop)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), CloudError> {
        self.call("DeleteObjects", |state, _| {
            state.bucket.delete(keys);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Zone for Simulator {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        self.listing("ListResourceRecordSets", |state, _| state.zone.list(next)).await
    }

    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        let made =
            self.call("ChangeResourceRecordSets", |state, now| state.zone.change(changes, now)).await?;
        tokio::time::sleep(WORK).await;
        Ok(made)
    }

    async fn in_sync(&self, change: &str) -> Result<bool, CloudError> {
        self.call("GetChange", |state, now| state.zone.in_sync(change, now)).await
    }
}
