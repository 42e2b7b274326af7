use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    self as aws, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceType, IpPermission, IpRange,
    ResourceType, TagSpecification, UserIdGroupPair, VolumeType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{failed, lacking};
use crate::cloud::{
    Address, CloudError, Ec2, Filter, Group, Instance, InstanceState, Launch, NewGroup, NewVolume, Page,
    Peer, Rule, Tags, Volume, VolumeState,
};

/// Things of one page: the most that EC2 gives.
const PAGE: i32 = 1000;
/// The root volume of Debian's AMIs.
const ROOT: &str = "/dev/xvda";

/// EC2 by the SDK.
#[derive(Debug, Clone)]
pub struct SdkEc2(Client);

impl SdkEc2 {
    /// With [`super::configuration`].
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }
}

fn filters(filter: &Filter) -> Option<Vec<aws::Filter>> {
    let one = |(key, value): &(String, String)| {
        aws::Filter::builder().name(format!("tag:{key}")).values(value).build()
    };
    Some(filter.tags.iter().map(one).collect())
}

fn tagged(kind: ResourceType, tags: &Tags) -> TagSpecification {
    let tag = |(key, value): (&String, &String)| aws::Tag::builder().key(key).value(value).build();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.iter().map(tag).collect())).build()
}

fn tags(tags: &[aws::Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect()
}

fn instance(of: &aws::Instance) -> Option<Instance> {
    let state = match of.state()?.name()? {
        aws::InstanceStateName::Pending => InstanceState::Pending,
        aws::InstanceStateName::Running => InstanceState::Running,
        aws::InstanceStateName::Stopping => InstanceState::Stopping,
        aws::InstanceStateName::Stopped => InstanceState::Stopped,
        aws::InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        aws::InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    };
    let volumes = of.block_device_mappings().iter().filter_map(|device| device.ebs()?.volume_id());
    Some(Instance {
        id: of.instance_id()?.to_owned(),
        state,
        private_ip: of.private_ip_address().and_then(|ip| ip.parse().ok()),
        volumes: volumes.map(str::to_owned).collect(),
        launched: of.launch_time().map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
        zone: of.placement().and_then(aws::Placement::availability_zone).unwrap_or_default().to_owned(),
        tags: tags(of.tags()),
    })
}

fn volume_state(state: Option<&aws::VolumeState>) -> Option<VolumeState> {
    Some(match state? {
        aws::VolumeState::Creating => VolumeState::Creating,
        aws::VolumeState::Available => VolumeState::Available,
        aws::VolumeState::InUse => VolumeState::InUse,
        aws::VolumeState::Deleting | aws::VolumeState::Deleted => VolumeState::Deleting,
        aws::VolumeState::Error => VolumeState::Error,
        _ => return None,
    })
}

fn volume(of: &aws::Volume) -> Option<Volume> {
    Some(Volume {
        id: of.volume_id()?.to_owned(),
        state: volume_state(of.state())?,
        zone: of.availability_zone().unwrap_or_default().to_owned(),
        instance: of.attachments().iter().find_map(|to| to.instance_id()).map(str::to_owned),
        created: of.create_time().map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
        tags: tags(of.tags()),
    })
}

fn rules(of: &IpPermission) -> Vec<Rule> {
    let port =
        of.from_port().filter(|_| of.ip_protocol() != Some("-1")).and_then(|port| u16::try_from(port).ok());
    let nets = of.ip_ranges().iter().filter_map(|range| range.cidr_ip()?.parse().ok()).map(Peer::Net);
    let groups = of.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()).map(str::to_owned);
    nets.chain(groups.map(Peer::Group)).map(|from| Rule { port, from }).collect()
}

fn permission(rule: &Rule) -> IpPermission {
    let permission = match rule.port {
        Some(port) => {
            IpPermission::builder().ip_protocol("tcp").from_port(i32::from(port)).to_port(i32::from(port))
        }
        None => IpPermission::builder().ip_protocol("-1"),
    };
    match &rule.from {
        Peer::Net(net) => permission.ip_ranges(IpRange::builder().cidr_ip(net.to_string()).build()),
        Peer::Group(group) => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(group).build())
        }
    }
    .build()
}

fn address(of: &aws::Address) -> Option<Address> {
    Some(Address {
        allocation: of.allocation_id()?.to_owned(),
        ip: of.public_ip()?.parse().ok()?,
        instance: of.instance_id().filter(|id| !id.is_empty()).map(str::to_owned),
        tags: tags(of.tags()),
    })
}

fn page<T>(items: impl Iterator<Item = T>, next: Option<&str>) -> Page<T> {
    Page { items: items.collect(), next: next.filter(|next| !next.is_empty()).map(str::to_owned) }
}

#[async_trait]
impl Ec2 for SdkEc2 {
    async fn instances(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Instance>, CloudError> {
        let request = self.0.describe_instances().set_filters(filters(filter)).max_results(PAGE);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await.map_err(failed)?;
        let all = answer.reservations().iter().flat_map(aws::Reservation::instances);
        Ok(page(all.filter_map(instance), answer.next_token()))
    }

    /// With version 2 of the metadata alone, one hop away: a container or a proxy on it does not reach them.
    async fn run_instance(&self, launch: &Launch) -> Result<Instance, CloudError> {
        let Launch { token, image, instance_type, subnet, groups, profile, user_data, root_gib, tags } =
            launch;
        let metadata = InstanceMetadataOptionsRequest::builder()
            .http_endpoint(InstanceMetadataEndpointState::Enabled)
            .http_tokens(HttpTokensState::Required)
            .http_put_response_hop_limit(1)
            .build();
        let root = EbsBlockDevice::builder()
            .volume_type(VolumeType::Gp3)
            .volume_size(i32::try_from(*root_gib).unwrap_or(i32::MAX))
            .encrypted(true)
            .delete_on_termination(true)
            .build();
        let request = self
            .0
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
            .block_device_mappings(BlockDeviceMapping::builder().device_name(ROOT).ebs(root).build())
            .tag_specifications(tagged(ResourceType::Instance, tags));
        let answer = request.send().await.map_err(failed)?;
        answer.instances().first().and_then(instance).ok_or_else(|| lacking("instance"))
    }

    async fn start_instance(&self, id: &str) -> Result<(), CloudError> {
        self.0.start_instances().instance_ids(id).send().await.map(drop).map_err(failed)
    }

    async fn terminate_instance(&self, id: &str) -> Result<(), CloudError> {
        self.0.terminate_instances().instance_ids(id).send().await.map(drop).map_err(failed)
    }

    async fn volumes(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Volume>, CloudError> {
        let request = self.0.describe_volumes().set_filters(filters(filter)).max_results(PAGE);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await.map_err(failed)?;
        Ok(page(answer.volumes().iter().filter_map(volume), answer.next_token()))
    }

    async fn create_volume(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        let NewVolume { token, zone, gib, tags: with } = new;
        let request = self
            .0
            .create_volume()
            .client_token(token)
            .availability_zone(zone)
            .size(i32::try_from(*gib).unwrap_or(i32::MAX))
            .volume_type(VolumeType::Gp3)
            .encrypted(true)
            .tag_specifications(tagged(ResourceType::Volume, with));
        let answer = request.send().await.map_err(failed)?;
        Ok(Volume {
            id: answer.volume_id().ok_or_else(|| lacking("volume"))?.to_owned(),
            state: volume_state(answer.state()).unwrap_or(VolumeState::Creating),
            zone: zone.clone(),
            instance: None,
            created: answer.create_time().map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
            tags: with.clone(),
        })
    }

    async fn attach_volume(&self, volume: &str, instance: &str, device: &str) -> Result<(), CloudError> {
        let request = self.0.attach_volume().volume_id(volume).instance_id(instance).device(device);
        request.send().await.map(drop).map_err(failed)
    }

    async fn delete_volume(&self, id: &str) -> Result<(), CloudError> {
        self.0.delete_volume().volume_id(id).send().await.map(drop).map_err(failed)
    }

    async fn groups(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Group>, CloudError> {
        let request = self.0.describe_security_groups().set_filters(filters(filter)).max_results(PAGE);
        let answer = request.set_next_token(next.map(str::to_owned)).send().await.map_err(failed)?;
        let group = |of: &aws::SecurityGroup| {
            Some(Group {
                id: of.group_id()?.to_owned(),
                name: of.group_name()?.to_owned(),
                rules: of.ip_permissions().iter().flat_map(rules).collect(),
                tags: tags(of.tags()),
            })
        };
        Ok(page(answer.security_groups().iter().filter_map(group), answer.next_token()))
    }

    async fn create_group(&self, new: &NewGroup) -> Result<String, CloudError> {
        let NewGroup { name, description, vpc, tags } = new;
        let request = self.0.create_security_group().group_name(name).description(description).vpc_id(vpc);
        let request = request.tag_specifications(tagged(ResourceType::SecurityGroup, tags));
        let answer = request.send().await.map_err(failed)?;
        answer.group_id().map(str::to_owned).ok_or_else(|| lacking("security group"))
    }

    async fn allow(&self, group: &str, rules: &[Rule]) -> Result<(), CloudError> {
        let rules = rules.iter().map(permission).collect();
        let request =
            self.0.authorize_security_group_ingress().group_id(group).set_ip_permissions(Some(rules));
        request.send().await.map(drop).map_err(failed)
    }

    async fn delete_group(&self, id: &str) -> Result<(), CloudError> {
        self.0.delete_security_group().group_id(id).send().await.map(drop).map_err(failed)
    }

    async fn addresses(&self, filter: &Filter) -> Result<Vec<Address>, CloudError> {
        let answer = self.0.describe_addresses().set_filters(filters(filter)).send().await.map_err(failed)?;
        Ok(answer.addresses().iter().filter_map(address).collect())
    }

    async fn allocate_address(&self, with: &Tags) -> Result<Address, CloudError> {
        let request = self.0.allocate_address().domain(aws::DomainType::Vpc);
        let request = request.tag_specifications(tagged(ResourceType::ElasticIp, with));
        let answer = request.send().await.map_err(failed)?;
        let ip = answer.public_ip().and_then(|ip| ip.parse().ok());
        Ok(Address {
            allocation: answer.allocation_id().ok_or_else(|| lacking("allocation"))?.to_owned(),
            ip: ip.ok_or_else(|| lacking("address"))?,
            instance: None,
            tags: with.clone(),
        })
    }

    async fn associate_address(&self, allocation: &str, instance: &str) -> Result<(), CloudError> {
        let request = self.0.associate_address().allocation_id(allocation).instance_id(instance);
        request.allow_reassociation(true).send().await.map(drop).map_err(failed)
    }

    async fn release_address(&self, allocation: &str) -> Result<(), CloudError> {
        self.0.release_address().allocation_id(allocation).send().await.map(drop).map_err(failed)
    }
}
