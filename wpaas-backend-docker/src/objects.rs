//! From what the Engine lists to what the planner knows. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bollard::models::ContainerSummaryStateEnum as State;
use wpaas_core::converge::{Entry, Object, ObjectId, ObjectState, Part};
use wpaas_core::id::SiteId;

use crate::address;
use crate::label::Labels;
use crate::listing::{FoundContainer, FoundNetwork, Listing};
use crate::name;
use crate::subnet::Pool;

/// Everything listed, as objects. `ports` is the pool of subnets where gateways have a port on 127.0.0.1.
pub(crate) fn objects(listing: &Listing, ports: Option<Pool>) -> Vec<(SiteId, Object)> {
    let current = networks(listing);
    let nodes = listing.containers.iter().filter(|found| found.labels.part.is_node()).map(|found| {
        let network = current.get(&found.labels.site).map(|network| network.id.as_str());
        (found.labels.site, node(found, network))
    });
    let volumes =
        listing.volumes.iter().map(|found| (found.labels.site, volume(listing, &found.name, &found.labels)));
    let networks = current.values().map(|found| (found.labels.site, network(found, ports)));
    networks.chain(volumes).chain(stray_keepers(listing)).chain(nodes).collect()
}

/// Keepers whose volume is gone.
fn stray_keepers(listing: &Listing) -> impl Iterator<Item = (SiteId, Object)> {
    let keepers = listing.containers.iter().filter(|found| matches!(found.labels.part, Part::Release(_)));
    keepers
        .filter(|keeper| listing.volume(keeper.labels.site, keeper.labels.part).is_none())
        .map(|keeper| (keeper.labels.site, object(&keeper.labels, &keeper.id, ObjectState::Incomplete)))
}

/// Of each site the oldest, should there be two.
fn networks(listing: &Listing) -> BTreeMap<SiteId, &FoundNetwork> {
    let mut current = BTreeMap::new();
    for found in listing.networks.iter().filter(|found| found.labels.part == Part::Network) {
        current.entry(found.labels.site).or_insert(found);
    }
    current
}

/// A node's object; `network` is the id of its site's network.
pub(crate) fn node(found: &FoundContainer, network: Option<&str>) -> Object {
    let state = match node_state(found.state) {
        settled @ (ObjectState::Incomplete | ObjectState::Removing | ObjectState::Broken) => settled,
        _ if is_misplaced(found, network) => ObjectState::Broken,
        state => state,
    };
    Object { fingerprint: found.labels.fingerprint, ..object(&found.labels, &found.id, state) }
}

/// Whether its network is gone, or it is attached to another one, which nobody may reach it through.
fn is_misplaced(found: &FoundContainer, network: Option<&str>) -> bool {
    let Some(current) = network else { return true };
    let attached = found.networks.iter().any(|id| id == current);
    // One that does not run may have forgotten its network, and finds it by name.
    let forgot = found.networks.is_empty() && !matches!(found.state, State::RUNNING | State::PAUSED);
    let elsewhere = found.networks.iter().any(|id| id != current);
    elsewhere || (!attached && !forgot)
}

pub(crate) fn node_state(state: State) -> ObjectState {
    match state {
        State::CREATED => ObjectState::Incomplete,
        State::RUNNING => ObjectState::Ready,
        State::PAUSED => ObjectState::Frozen,
        State::REMOVING => ObjectState::Removing,
        State::DEAD => ObjectState::Broken,
        State::EXITED | State::RESTARTING | State::STOPPING | State::EMPTY => ObjectState::Stopped,
    }
}

/// A network's object.
pub(crate) fn network(found: &FoundNetwork, ports: Option<Pool>) -> Object {
    let state = if found.subnet.is_some() { ObjectState::Ready } else { ObjectState::Broken };
    let entry = Entry {
        address: found.subnet.and_then(address::of_site).map(IpAddr::V4),
        local_port: found.subnet.zip(ports).and_then(|(subnet, pool)| address::local_port(pool, subnet)),
        lead: None,
    };
    Object { entry: Some(Box::new(entry)), ..object(&found.labels, &found.id, state) }
}

/// A volume's object. A release is whole once a keeper of its volume carries the final name.
fn volume(listing: &Listing, volume: &str, labels: &Labels) -> Object {
    let whole = match labels.part {
        Part::Release(_) => is_kept(listing, volume, labels),
        _ => true,
    };
    object(labels, volume, if whole { ObjectState::Ready } else { ObjectState::Incomplete })
}

/// Whether a release's volume was filled to its end.
pub(crate) fn is_kept(listing: &Listing, volume: &str, labels: &Labels) -> bool {
    let whole = name::of(labels.site, labels.part);
    let mut keepers = listing.containers(labels.site, labels.part);
    keepers.any(|keeper| keeper.name == whole && keeper.volumes.iter().any(|name| name == volume))
}

/// What every object has.
pub(crate) fn object(labels: &Labels, id: &str, state: ObjectState) -> Object {
    Object {
        part: labels.part,
        id: ObjectId::new(id),
        fingerprint: None,
        generation: labels.mark.0,
        epoch: labels.mark.1,
        state,
        entry: None,
    }
}

#[cfg(test)]
mod tests {
    use wpaas_core::converge::Fingerprint;

    use super::*;
    use crate::listing::FoundVolume;
    use crate::subnet::Subnet;

    const RELEASE: Part = Part::Release([1; 6]);

    fn labels(site: SiteId, part: Part) -> Labels {
        Labels { site, part, mark: (2, 3), fingerprint: Some(Fingerprint::of(["spec"])), host: None }
    }

    fn container(site: SiteId, part: Part, state: State, networks: &[&str]) -> FoundContainer {
        FoundContainer {
            id: "c1".to_owned(),
            name: name::of(site, part),
            labels: labels(site, part),
            state,
            networks: networks.iter().map(|id| (*id).to_owned()).collect(),
            volumes: vec!["v1".to_owned()],
        }
    }

    fn state(state: State, networks: &[&str], current: Option<&str>) -> ObjectState {
        node(&container(SiteId::new(), Part::Database(0), state, networks), current).state
    }

    #[test]
    fn a_containers_state_is_what_the_planner_calls_it() {
        let current = Some("n1");
        for (engine, planner) in [
            (State::CREATED, ObjectState::Incomplete),
            (State::RUNNING, ObjectState::Ready),
            (State::EXITED, ObjectState::Stopped),
            (State::RESTARTING, ObjectState::Stopped),
            (State::DEAD, ObjectState::Broken),
            (State::PAUSED, ObjectState::Frozen),
            (State::REMOVING, ObjectState::Removing),
        ] {
            assert_eq!(state(engine, &["n1"], current), planner, "{engine:?}");
        }
    }

    #[test]
    fn a_container_without_its_sites_network_or_with_another_is_broken() {
        for engine in [State::RUNNING, State::EXITED, State::PAUSED] {
            assert_eq!(state(engine, &["n0"], Some("n1")), ObjectState::Broken);
            assert_eq!(state(engine, &["n1"], None), ObjectState::Broken);
            assert_eq!(state(engine, &["n0", "n1"], Some("n1")), ObjectState::Broken);
            assert_ne!(state(engine, &["n1"], Some("n1")), ObjectState::Broken);
        }
        assert_eq!(state(State::RUNNING, &[], Some("n1")), ObjectState::Broken);
        assert_eq!(state(State::EXITED, &[], Some("n1")), ObjectState::Stopped);
        assert_eq!(state(State::CREATED, &[], None), ObjectState::Incomplete);
    }

    #[test]
    fn a_release_is_one_object_and_whole_once_its_keeper_is_renamed() {
        let site = SiteId::new();
        let mut keeper = container(site, RELEASE, State::CREATED, &[]);
        keeper.name = name::filling(site, RELEASE);
        let volume = FoundVolume { name: "v1".to_owned(), labels: labels(site, RELEASE), made: None };
        let mut listing = Listing { containers: vec![keeper], volumes: vec![volume], ..Listing::default() };
        let filling = objects(&listing, None);
        assert_eq!(filling.len(), 1);
        assert_eq!(filling[0].1, Object { state: ObjectState::Incomplete, ..filling[0].1.clone() });
        listing.containers[0].name = name::of(site, RELEASE);
        assert_eq!(objects(&listing, None)[0].1.state, ObjectState::Ready);
        listing.containers[0].volumes.clear();
        assert_eq!(objects(&listing, None)[0].1.state, ObjectState::Incomplete, "a keeper of nothing");
        listing.containers.clear();
        assert_eq!(objects(&listing, None)[0].1.state, ObjectState::Incomplete, "no keeper");
    }

    #[test]
    fn the_network_tells_the_sites_address() {
        let site = SiteId::new();
        let found = |id: &str, created: &str| FoundNetwork {
            id: id.to_owned(),
            labels: labels(site, Part::Network),
            created: created.to_owned(),
            subnet: Subnet::parse("10.208.0.64/26"),
        };
        let listing = Listing { networks: vec![found("n1", "1"), found("n2", "2")], ..Listing::default() };
        let seen = objects(&listing, Some(Pool::default()));
        assert_eq!(seen.len(), 1, "the oldest of two");
        let (_, network) = &seen[0];
        assert_eq!(network.id.to_string(), "n1");
        assert_eq!(network.address(), Some("10.208.0.66".parse().unwrap()));
        assert_eq!(network.entry.as_ref().unwrap().local_port, Some(20_001));
        assert_eq!(network.fingerprint, None, "no node");
        assert_eq!(objects(&listing, None)[0].1.entry.as_ref().unwrap().local_port, None);
    }
}
