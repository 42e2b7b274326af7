//! From what EC2 answers to our own types. `None` is what can't be read.

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{self as aws, InstanceStateName, IpPermission};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::cloud::{
    Address, CloudError, Group, Instance, InstanceState, Peer, Rule, Tags, Volume, VolumeState,
};

fn tags(tags: &[aws::Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect()
}

pub(super) fn instance(of: &aws::Instance) -> Option<Instance> {
    let volumes = of.block_device_mappings().iter().filter_map(|device| device.ebs()?.volume_id());
    Some(Instance {
        id: of.instance_id()?.to_owned(),
        state: instance_state(of.state()?.name()?)?,
        private_ip: of.private_ip_address().and_then(|ip| ip.parse().ok()),
        volumes: volumes.map(str::to_owned).collect(),
        launched: of.launch_time().map_or(0, DateTime::secs),
        ended: of.state_transition_reason().and_then(ended),
        failure: of.state_reason().and_then(failure),
        zone: of.placement().and_then(aws::Placement::availability_zone).unwrap_or_default().to_owned(),
        tags: tags(of.tags()),
    })
}

fn instance_state(state: &InstanceStateName) -> Option<InstanceState> {
    Some(match state {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    })
}

/// `Client.VolumeLimitExceeded` and the like: what nobody who uses the instance or the account has asked for.
fn failure(reason: &aws::StateReason) -> Option<CloudError> {
    let (_, code) = reason.code()?.split_once('.')?;
    let asked_for = ["UserInitiatedShutdown", "UserInitiatedHibernate", "InstanceInitiatedShutdown"];
    let failed = !asked_for.contains(&code) && !code.starts_with("Spot");
    failed.then(|| CloudError::new(code, reason.message().unwrap_or_default()))
}

/// The time in `User initiated (2026-11-25 22:00:00 GMT)`, in seconds since 1970. What ended by itself tells none.
fn ended(reason: &str) -> Option<i64> {
    let (_, rest) = reason.split_once('(')?;
    let (time, _) = rest.split_once(')')?;
    let (time, _) = time.rsplit_once(' ')?;
    let time = civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|at| Timestamp::from(at).as_second())
}

pub(super) fn volume_state(state: Option<&aws::VolumeState>) -> Option<VolumeState> {
    Some(match state? {
        aws::VolumeState::Creating => VolumeState::Creating,
        aws::VolumeState::Available => VolumeState::Available,
        aws::VolumeState::InUse => VolumeState::InUse,
        aws::VolumeState::Deleting | aws::VolumeState::Deleted => VolumeState::Deleting,
        aws::VolumeState::Error => VolumeState::Error,
        _ => return None,
    })
}

pub(super) fn volume(of: &aws::Volume) -> Option<Volume> {
    Some(Volume {
        id: of.volume_id()?.to_owned(),
        state: volume_state(of.state())?,
        zone: of.availability_zone().unwrap_or_default().to_owned(),
        instance: of.attachments().iter().find_map(|to| to.instance_id()).map(str::to_owned),
        created: of.create_time().map_or(0, DateTime::secs),
        tags: tags(of.tags()),
    })
}

pub(super) fn group(of: &aws::SecurityGroup) -> Option<Group> {
    Some(Group {
        id: of.group_id()?.to_owned(),
        name: of.group_name()?.to_owned(),
        rules: of.ip_permissions().iter().flat_map(rules).collect(),
        tags: tags(of.tags()),
    })
}

/// Rules as we make them: one TCP port, or everything. Others are somebody else's, and none of ours.
fn rules(of: &IpPermission) -> Vec<Rule> {
    let one = || {
        of.from_port().filter(|port| of.to_port() == Some(*port)).and_then(|port| u16::try_from(port).ok())
    };
    let port = match (of.ip_protocol(), one()) {
        (Some("-1"), _) => None,
        (Some("tcp"), Some(port)) => Some(port),
        _ => return Vec::new(),
    };
    let nets = of.ip_ranges().iter().filter_map(|range| range.cidr_ip()?.parse().ok()).map(Peer::Net);
    let groups = of.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()).map(str::to_owned);
    nets.chain(groups.map(Peer::Group)).map(|from| Rule { port, from }).collect()
}

pub(super) fn address(of: &aws::Address) -> Option<Address> {
    Some(Address {
        allocation: of.allocation_id()?.to_owned(),
        ip: of.public_ip()?.parse().ok()?,
        instance: of.instance_id().filter(|id| !id.is_empty()).map(str::to_owned),
        tags: tags(of.tags()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ec2_says_when_somebody_ended_an_instance() {
        assert_eq!(ended("User initiated (2026-11-25 22:00:00 GMT)"), Some(1_795_644_000));
        for none in
            ["", "Client.InstanceInitiatedShutdown: Instance initiated shutdown", "User initiated (soon)"]
        {
            assert_eq!(ended(none), None, "{none}");
        }
    }

    #[test]
    fn ec2_says_why_it_ended_an_instance_by_itself() {
        let reason = |code: &str| aws::StateReason::builder().code(code).message("words").build();
        let told = failure(&reason("Client.VolumeLimitExceeded"));
        assert_eq!(told, Some(CloudError::new("VolumeLimitExceeded", "words")));
        assert!(failure(&reason("Server.InternalError")).is_some());
        for none in ["Client.UserInitiatedShutdown", "Client.InstanceInitiatedShutdown", "pending", ""] {
            assert_eq!(failure(&reason(none)), None, "{none}");
        }
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        let everything = Rule { port: None, from: Peer::Group("sg-1".to_owned()) };
        let http = Rule { port: Some(80), from: Peer::Net("10.0.0.0/8".parse().unwrap()) };
        for rule in [everything, http] {
            assert_eq!(rules(&super::super::write::permission(&rule)), [rule]);
        }
        let range = IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(90).build();
        assert_eq!(rules(&range), []);
    }
}
