//! Where a node of a site is: a pure function of the site's subnet and the part.

use std::net::Ipv4Addr;

use wpaas_core::converge::Part;

use crate::subnet::{Pool, Subnet};

/// The bridge: the Engine's host, and with it the control plane.
pub(crate) const BRIDGE: u8 = 1;

/// The first of the ports on 127.0.0.1 that lead to gateways.
const FIRST_PORT: u16 = 20_000;

/// The address of a part; `None` for what has none.
pub(crate) fn of(subnet: Subnet, part: Part) -> Option<Ipv4Addr> {
    let host = match part {
        Part::Gateway(n @ 0..=1) => 2 + n,
        Part::Database(n @ 0..=2) => 4 + n,
        Part::Wordpress(slot) if slot < Part::WORDPRESS_SLOTS => 8 + slot,
        _ => return None,
    };
    subnet.host(host)
}

/// Of the first gateway: the site's own.
pub(crate) fn of_site(subnet: Subnet) -> Option<Ipv4Addr> {
    of(subnet, Part::Gateway(0))
}

/// The port on 127.0.0.1 that leads to the site's address, where one does.
pub(crate) fn local_port(pool: Pool, subnet: Subnet) -> Option<u16> {
    FIRST_PORT.checked_add(pool.index(subnet)?)
}

/// Every name that a node resolves, as `name:address`. `control` is at `control`.
pub(crate) fn hosts(subnet: Subnet, control: &str) -> Vec<String> {
    let parts = (0..2)
        .map(Part::Gateway)
        .chain((0..3).map(Part::Database))
        .chain((0..Part::WORDPRESS_SLOTS).map(Part::Wordpress));
    let named = parts.filter_map(|part| Some(format!("{part}:{}", of(subnet, part)?)));
    std::iter::once(format!("control:{control}")).chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet() -> Subnet {
        Subnet::parse("10.208.0.64/26").unwrap()
    }

    #[test]
    fn every_node_has_a_place_of_its_own() {
        assert_eq!(subnet().host(BRIDGE).unwrap().to_string(), "10.208.0.65");
        assert_eq!(of_site(subnet()).unwrap().to_string(), "10.208.0.66");
        assert_eq!(of(subnet(), Part::Database(2)).unwrap().to_string(), "10.208.0.70");
        assert_eq!(of(subnet(), Part::Wordpress(0)).unwrap().to_string(), "10.208.0.72");
        assert_eq!(of(subnet(), Part::Wordpress(47)).unwrap().to_string(), "10.208.0.119");
        for none in [Part::Network, Part::Gateway(2), Part::Database(3), Part::Wordpress(48)] {
            assert_eq!(of(subnet(), none), None);
        }
    }

    #[test]
    fn names_lead_to_distinct_addresses() {
        let hosts = hosts(subnet(), "10.208.0.65");
        assert_eq!(hosts.len(), 1 + 2 + 3 + 48);
        assert_eq!(hosts[0], "control:10.208.0.65");
        assert!(hosts.contains(&"wordpress-3:10.208.0.75".to_owned()));
        let addresses: std::collections::HashSet<_> =
            hosts.iter().filter_map(|host| host.split_once(':')).map(|(_, address)| address).collect();
        assert_eq!(addresses.len(), hosts.len());
    }

    #[test]
    fn a_port_follows_from_the_subnet() {
        assert_eq!(local_port(Pool::default(), subnet()), Some(20_001));
        assert_eq!(local_port(Pool::default(), Subnet::parse("10.223.255.192/26").unwrap()), Some(36_383));
        assert_eq!(local_port(Pool::default(), Subnet::parse("10.0.0.0/26").unwrap()), None);
    }
}
