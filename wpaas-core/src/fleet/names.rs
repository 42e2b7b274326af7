use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::id::SiteId;
use crate::name::Hostname;

/// Where one site is, by all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePlace {
    /// The names below the platform's domain.
    pub platform: Vec<Hostname>,
    /// The site's own domains.
    pub domains: Vec<Hostname>,
    /// Its gateway.
    pub gateway: IpAddr,
    /// Where people reach the gateway: another address, where that one can't be reached.
    pub public: IpAddr,
    /// Whether the edge sends visitors there.
    pub shared: bool,
}

/// Where every site is that is to run and has an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    sites: BTreeMap<SiteId, SitePlace>,
}

impl Names {
    /// Of these sites.
    #[must_use]
    pub const fn new(sites: BTreeMap<SiteId, SitePlace>) -> Self {
        Self { sites }
    }

    /// What is known of a site from now on; `None` forgets it. Returns whether anything differs.
    pub fn set(&mut self, site: SiteId, place: Option<SitePlace>) -> bool {
        match place {
            Some(place) => self.sites.insert(site, place.clone()) != Some(place),
            None => self.sites.remove(&site).is_some(),
        }
    }

    /// The sites and where they are.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &SitePlace)> {
        self.sites.iter().map(|(site, place)| (*site, place))
    }

    /// The DNS records of all names below the platform's domain; those of shared sites lead to the edge.
    #[must_use]
    pub fn records(&self, edge: IpAddr) -> BTreeMap<Hostname, IpAddr> {
        let record = |place: &SitePlace, name: &Hostname| {
            (name.clone(), if place.shared { edge } else { place.public })
        };
        let places = self.sites.values();
        places.flat_map(|place| place.platform.iter().map(move |name| record(place, name))).collect()
    }

    /// Whether any site is shared.
    #[must_use]
    pub fn any_shared(&self) -> bool {
        self.sites.values().any(|place| place.shared)
    }

    /// As the edge reads it: a host and a gateway a line, the last line `end`. A host that two sites claim is the
    /// older site's.
    #[must_use]
    pub fn edge_file(&self) -> String {
        let mut hosts = BTreeMap::new();
        for place in self.sites.values().filter(|place| place.shared) {
            for host in place.platform.iter().chain(&place.domains) {
                hosts.entry(host).or_insert(place.gateway);
            }
        }
        let mut file = String::new();
        for (host, gateway) in hosts {
            let _infallible = writeln!(file, "{host} {gateway}");
        }
        file.push_str("end\n");
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, shared: bool, last: u8) -> SitePlace {
        SitePlace {
            platform: vec![format!("{name}.acm.www.wpaas.localhost").parse().unwrap()],
            domains: vec!["example.com".parse().unwrap()],
            gateway: IpAddr::from([10, 208, 0, last]),
            public: IpAddr::from([10, 208, 0, last]),
            shared,
        }
    }

    #[test]
    fn only_shared_sites_are_at_the_edge_and_dns_leads_there() {
        let [first, second, third] = [SiteId::new(), SiteId::new(), SiteId::new()];
        let mut names = Names::default();
        assert!(names.set(first, Some(place("one", true, 2))));
        assert!(!names.set(first, Some(place("one", true, 2))));
        assert!(names.set(second, Some(place("two", true, 3))));
        assert!(names.set(third, Some(place("three", false, 4))));
        assert_eq!(
            names.edge_file(),
            "example.com 10.208.0.2\none.acm.www.wpaas.localhost 10.208.0.2\n\
             two.acm.www.wpaas.localhost 10.208.0.3\nend\n"
        );
        let edge = IpAddr::from([127, 0, 0, 1]);
        let records: Vec<_> =
            names.records(edge).into_iter().map(|(name, to)| format!("{name} {to}")).collect();
        assert_eq!(
            records,
            [
                "one.acm.www.wpaas.localhost 127.0.0.1",
                "three.acm.www.wpaas.localhost 10.208.0.4",
                "two.acm.www.wpaas.localhost 127.0.0.1"
            ]
        );
        assert!(names.set(first, None) && names.set(second, None));
        assert_eq!((names.edge_file().as_str(), names.any_shared()), ("end\n", false));
    }
}
