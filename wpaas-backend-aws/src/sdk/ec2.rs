use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    self as aws, HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceType, ResourceType, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{failed, lacking, page};
use crate::cloud::{
    Address, CloudError, Ec2, Filter, Group, Image, Instance, Launch, NewGroup, NewVolume, Page, Rule, Tags,
    Volume, VolumeState,
};
use crate::limiter::Call;

mod read;
mod write;

/// Things of one page: the most that EC2 gives.
const PAGE: i32 = 1000;

/// EC2 by the SDK.
#[derive(Debug, Clone)]
pub struct SdkEc2 {
    client: Client,
    page: i32,
}

impl SdkEc2 {
    /// With [`super::configuration`].
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), page: PAGE }
    }

    /// With pages of so many things, five at least.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_pages_of(self, things: i32) -> Self {
        Self { page: things, ..self }
    }
}

#[async_trait]
impl Ec2 for SdkEc2 {
    async fn instances(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Instance>, CloudError> {
        let request =
            self.client.describe_instances().set_filters(Some(write::filters(filter))).max_results(self.page);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await;
        let answer = answer.map_err(failed(Call::DescribeInstances.action()))?;
        let all: Vec<_> = answer.reservations().iter().flat_map(aws::Reservation::instances).collect();
        Ok(page(&all, |of| read::instance(of), answer.next_token()))
    }

    async fn image(&self, id: &str) -> Result<Image, CloudError> {
        let answer = self.client.describe_images().image_ids(id).send().await;
        let answer = answer.map_err(failed(Call::DescribeImages.action()))?;
        let image = answer.images().first();
        let image =
            image.ok_or_else(|| CloudError::new("InvalidAMIID.NotFound", format!("there is no {id}")))?;
        let root_device = image.root_device_name().ok_or_else(|| lacking("root device"))?.to_owned();
        Ok(Image { id: id.to_owned(), root_device })
    }

    /// With version 2 of the metadata alone, one hop away: a container or a proxy on it does not reach them.
    async fn run_instance(&self, launch: &Launch) -> Result<Instance, CloudError> {
        let Launch {
            token,
            image,
            instance_type,
            subnet,
            groups,
            profile,
            user_data,
            root_device,
            root_gib,
            tags,
        } = launch;
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        let request = self
            .client
            .run_instances()
            .client_token(token)
            .min_count(1)
            .max_count(1)
            .image_id(image)
            .instance_type(InstanceType::from(instance_type.as_str()))
            .subnet_id(subnet)
            .set_security_group_ids(Some(groups.clone()))
            .iam_instance_profile(IamInstanceProfileSpecification::builder().name(profile).build())
            .user_data(STANDARD.encode(user_data))
            .metadata_options(metadata)
            .block_device_mappings(write::root(root_device, *root_gib))
            .tag_specifications(write::tagged(ResourceType::Instance, tags));
        let answer = request.send().await.map_err(failed(Call::RunInstances.action()))?;
        answer.instances().first().and_then(read::instance).ok_or_else(|| lacking("instance"))
    }

    async fn start_instance(&self, id: &str) -> Result<(), CloudError> {
        let started = self.client.start_instances().instance_ids(id).send().await;
        started.map(drop).map_err(failed(Call::StartInstances.action()))
    }

    async fn terminate_instance(&self, id: &str) -> Result<(), CloudError> {
        let ended = self.client.terminate_instances().instance_ids(id).send().await;
        ended.map(drop).map_err(failed(Call::TerminateInstances.action()))
    }

    async fn volumes(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Volume>, CloudError> {
        let request =
            self.client.describe_volumes().set_filters(Some(write::filters(filter))).max_results(self.page);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await;
        let answer = answer.map_err(failed(Call::DescribeVolumes.action()))?;
        Ok(page(answer.volumes(), read::volume, answer.next_token()))
    }

    async fn create_volume(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        let NewVolume { token, zone, gib, tags: with } = new;
        let request = self
            .client
            .create_volume()
            .client_token(token)
            .availability_zone(zone)
            .size(i32::try_from(*gib).unwrap_or(i32::MAX))
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .tag_specifications(write::tagged(ResourceType::Volume, with));
        let answer = request.send().await.map_err(failed(Call::CreateVolume.action()))?;
        Ok(Volume {
            id: answer.volume_id().ok_or_else(|| lacking("volume"))?.to_owned(),
            state: read::volume_state(answer.state()).unwrap_or(VolumeState::Creating),
            zone: zone.clone(),
            instance: None,
            created: answer.create_time().map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
            tags: with.clone(),
        })
    }

    async fn attach_volume(&self, volume: &str, instance: &str, device: &str) -> Result<(), CloudError> {
        let request = self.client.attach_volume().volume_id(volume).instance_id(instance).device(device);
        request.send().await.map(drop).map_err(failed(Call::AttachVolume.action()))
    }

    async fn delete_volume(&self, id: &str) -> Result<(), CloudError> {
        let deleted = self.client.delete_volume().volume_id(id).send().await;
        deleted.map(drop).map_err(failed(Call::DeleteVolume.action()))
    }

    async fn groups(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Group>, CloudError> {
        let request = self
            .client
            .describe_security_groups()
            .set_filters(Some(write::filters(filter)))
            .max_results(self.page);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await;
        let answer = answer.map_err(failed(Call::DescribeSecurityGroups.action()))?;
        Ok(page(answer.security_groups(), read::group, answer.next_token()))
    }

    async fn create_group(&self, new: &NewGroup) -> Result<String, CloudError> {
        let NewGroup { name, description, vpc, tags } = new;
        let request =
            self.client.create_security_group().group_name(name).description(description).vpc_id(vpc);
        let request = request.tag_specifications(write::tagged(ResourceType::SecurityGroup, tags));
        let answer = request.send().await.map_err(failed(Call::CreateSecurityGroup.action()))?;
        answer.group_id().map(str::to_owned).ok_or_else(|| lacking("security group"))
    }

    async fn allow(&self, group: &str, rules: &[Rule]) -> Result<(), CloudError> {
        let rules = rules.iter().map(write::permission).collect();
        let request =
            self.client.authorize_security_group_ingress().group_id(group).set_ip_permissions(Some(rules));
        request.send().await.map(drop).map_err(failed(Call::AuthorizeSecurityGroupIngress.action()))
    }

    async fn delete_group(&self, id: &str) -> Result<(), CloudError> {
        let deleted = self.client.delete_security_group().group_id(id).send().await;
        deleted.map(drop).map_err(failed(Call::DeleteSecurityGroup.action()))
    }

    async fn addresses(&self, filter: &Filter) -> Result<Page<Address>, CloudError> {
        let answer = self.client.describe_addresses().set_filters(Some(write::filters(filter))).send().await;
        let answer = answer.map_err(failed(Call::DescribeAddresses.action()))?;
        Ok(page(answer.addresses(), read::address, None))
    }

    async fn allocate_address(&self, with: &Tags) -> Result<Address, CloudError> {
        let request = self.client.allocate_address().domain(aws::DomainType::Vpc);
        let request = request.tag_specifications(write::tagged(ResourceType::ElasticIp, with));
        let answer = request.send().await.map_err(failed(Call::AllocateAddress.action()))?;
        let ip = answer.public_ip().and_then(|ip| ip.parse().ok());
        Ok(Address {
            allocation: answer.allocation_id().ok_or_else(|| lacking("allocation"))?.to_owned(),
            ip: ip.ok_or_else(|| lacking("address"))?,
            instance: None,
            tags: with.clone(),
        })
    }

    async fn associate_address(&self, allocation: &str, instance: &str) -> Result<(), CloudError> {
        let request = self.client.associate_address().allocation_id(allocation).instance_id(instance);
        let moved = request.allow_reassociation(true).send().await;
        moved.map(drop).map_err(failed(Call::AssociateAddress.action()))
    }

    async fn release_address(&self, allocation: &str) -> Result<(), CloudError> {
        let released = self.client.release_address().allocation_id(allocation).send().await;
        released.map(drop).map_err(failed(Call::ReleaseAddress.action()))
    }
}
