//! What EC2 answers.

use jiff::Timestamp;

use super::xml::{all, list, some, text};
use crate::cloud::{
    Address, Group, Image, Instance, InstanceState, Page, Peer, Rule, Tags, Volume, VolumeState,
};

fn tags(tags: &Tags) -> String {
    let pairs: Vec<_> = tags.iter().collect();
    list("tagSet", "item", &pairs, |(key, value)| text("key", key) + &text("value", value))
}

/// Seconds since 1970 as EC2 writes them.
fn time(unix: i64) -> Timestamp {
    Timestamp::from_second(unix).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn page<T>(name: &str, page: &Page<T>, show: impl Fn(&T) -> String) -> String {
    list(name, "item", &page.items, show) + &some("nextToken", page.next.as_ref())
}

pub(super) fn images(images: &[Image]) -> String {
    list("imagesSet", "item", images, |Image { id, root_device }| {
        text("imageId", id) + &text("rootDeviceName", root_device)
    })
}

pub(super) fn reservations(of: &Page<Instance>) -> String {
    page("reservationSet", of, |it| instances(std::slice::from_ref(it)))
}

pub(super) fn instances(of: &[Instance]) -> String {
    list("instancesSet", "item", of, instance)
}

fn instance(of: &Instance) -> String {
    let Instance { id, state, private_ip, volumes, launched, ended, failure, zone, tags: own } = of;
    let (code, name) = match state {
        InstanceState::Pending => (0, "pending"),
        InstanceState::Running => (16, "running"),
        InstanceState::ShuttingDown => (32, "shutting-down"),
        InstanceState::Terminated => (48, "terminated"),
        InstanceState::Stopping => (64, "stopping"),
        InstanceState::Stopped => (80, "stopped"),
    };
    let reason = ended.map(|at| time(at).strftime("User initiated (%Y-%m-%d %H:%M:%S GMT)").to_string());
    let device = |volume: &String| text("deviceName", "/dev/sdf") + &all("ebs", &[text("volumeId", volume)]);
    [
        text("instanceId", id),
        all("instanceState", &[text("code", code), text("name", name)]),
        some("privateIpAddress", private_ip.as_ref()),
        list("blockDeviceMapping", "item", volumes, device),
        text("launchTime", time(*launched)),
        some("reason", reason),
        failure.as_ref().map_or_else(String::new, |failure| {
            let code = format!("Client.{}", failure.code);
            all("stateReason", &[text("code", code), text("message", &failure.message)])
        }),
        all("placement", &[text("availabilityZone", zone)]),
        tags(own),
    ]
    .concat()
}

pub(super) fn volumes(of: &Page<Volume>) -> String {
    page("volumeSet", of, volume)
}

pub(super) fn volume(of: &Volume) -> String {
    let Volume { id, state, zone, instance, created, tags: own } = of;
    let state = match state {
        VolumeState::Creating => "creating",
        VolumeState::Available => "available",
        VolumeState::InUse => "in-use",
        VolumeState::Deleting => "deleting",
        VolumeState::Error => "error",
    };
    let attached: Vec<_> = instance.iter().collect();
    [
        text("volumeId", id),
        text("status", state),
        text("availabilityZone", zone),
        text("createTime", time(*created)),
        list("attachmentSet", "item", &attached, |instance| text("instanceId", instance)),
        tags(own),
    ]
    .concat()
}

pub(super) fn groups(of: &Page<Group>) -> String {
    page("securityGroupInfo", of, |Group { id, name, rules, tags: own }| {
        text("groupId", id)
            + &text("groupName", name)
            + &list("ipPermissions", "item", rules, rule)
            + &tags(own)
    })
}

fn rule(Rule { port, from }: &Rule) -> String {
    let of = match port {
        Some(port) => text("ipProtocol", "tcp") + &text("fromPort", port) + &text("toPort", port),
        None => text("ipProtocol", "-1"),
    };
    of + &match from {
        Peer::Net(net) => list("ipRanges", "item", &[net], |net| text("cidrIp", net)),
        Peer::Group(group) => list("groups", "item", &[group], |group| text("groupId", group)),
    }
}

pub(super) fn addresses(of: &Page<Address>) -> String {
    page("addressesSet", of, address)
}

pub(super) fn address(Address { allocation, ip, instance, tags: own }: &Address) -> String {
    text("allocationId", allocation)
        + &text("publicIp", ip)
        + &some("instanceId", instance.as_ref())
        + &tags(own)
}
