//! From our own types to what EC2 is asked.

use aws_sdk_ec2::types::{
    self as aws, BlockDeviceMapping, EbsBlockDevice, IpPermission, IpRange, ResourceType, TagSpecification,
    UserIdGroupPair, VolumeType,
};

use crate::cloud::{Filter, Peer, Rule, Tags};

pub(super) fn filters(filter: &Filter) -> Vec<aws::Filter> {
    let one = |(key, value): &(String, String)| {
        aws::Filter::builder().name(format!("tag:{key}")).values(value).build()
    };
    filter.tags.iter().map(one).collect()
}

pub(super) fn tagged(kind: ResourceType, tags: &Tags) -> TagSpecification {
    let tag = |(key, value): (&String, &String)| aws::Tag::builder().key(key).value(value).build();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.iter().map(tag).collect())).build()
}

/// The root volume, which goes with its instance.
pub(super) fn root(device: &str, gib: u32) -> BlockDeviceMapping {
    let root = EbsBlockDevice::builder()
        .volume_type(VolumeType::Gp3)
        .volume_size(i32::try_from(gib).unwrap_or(i32::MAX))
        .encrypted(true)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder().device_name(device).ebs(root).build()
}

pub(super) fn permission(rule: &Rule) -> IpPermission {
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
