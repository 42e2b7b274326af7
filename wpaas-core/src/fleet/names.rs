use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::id::SiteId;
use crate::name::Hostname;
use crate::site::Generation;

/// Where one site is, by all its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// What the store says of where a site is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// There, as this generation of it wants.
    At(Generation, SitePlace),
    /// It is not to run, as this generation wants, or it is purged.
    Nowhere(Generation),
    /// Nothing: it has neither the site nor its tombstone, or no address of it.
    Nothing,
}

/// Where every site is that is to run and has an address, and where those are that still run and that the store has
/// lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names {
    sites: BTreeMap<SiteId, Named>,
}

/// What was last said of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    generation: Generation,
    place: SitePlace,
    /// Whether the store says nothing of it any more.
    lost: bool,
}

impl Names {
    /// Whether it matters what runs of a site, because the store says of it less than it did before.
    #[must_use]
    pub fn doubts(&self, site: SiteId, said: &Said) -> bool {
        self.sites.get(&site).is_some_and(|named| match said {
            Said::Nothing => true,
            Said::At(generation, _) | Said::Nowhere(generation) => named.generation > *generation,
        })
    }

    /// What is said of a site from now on, and the newest generation that anything of it was made for: 0 where
    /// nothing of it is there, `None` where nobody knows. No name goes of a site that still runs because a store that
    /// was put back does not know of it, or not of its last change. Returns whether anything differs.
    pub fn hear(&mut self, site: SiteId, said: Said, newest: Option<Generation>) -> bool {
        let stays = self.doubts(site, &said)
            && newest.is_none_or(|newest| match said {
                Said::Nothing => newest > 0,
                Said::At(generation, _) | Said::Nowhere(generation) => newest > generation,
            });
        let lost = said == Said::Nothing;
        if stays {
            let named = self.sites.get_mut(&site);
            return named.is_some_and(|named| std::mem::replace(&mut named.lost, lost) != lost);
        }
        match said {
            Said::At(generation, place) => {
                let new = Named { generation, place, lost };
                self.sites.insert(site, new.clone()) != Some(new)
            }
            Said::Nowhere(_) | Said::Nothing => self.sites.remove(&site).is_some(),
        }
    }

    /// All sites of which anything was said.
    pub fn ids(&self) -> impl Iterator<Item = SiteId> {
        self.sites.keys().copied()
    }

    /// The sites that the store knows, and where they are.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &SitePlace)> {
        self.sites.iter().filter(|(_, named)| !named.lost).map(|(site, named)| (*site, &named.place))
    }

    /// The places, those last whose names yield to the others'.
    fn places(&self) -> impl DoubleEndedIterator<Item = &SitePlace> {
        let of = |lost: bool| {
            self.sites.values().filter(move |named| named.lost == lost).map(|named| &named.place)
        };
        of(false).chain(of(true))
    }

    /// The DNS records of all names below the platform's domain; those of shared sites lead to the edge.
    #[must_use]
    pub fn records(&self, edge: IpAddr) -> BTreeMap<Hostname, IpAddr> {
        let record = |place: &SitePlace, name: &Hostname| {
            (name.clone(), if place.shared { edge } else { place.public })
        };
        let places = self.places().rev();
        places.flat_map(|place| place.platform.iter().map(move |name| record(place, name))).collect()
    }

    /// Whether any site is shared.
    #[must_use]
    pub fn any_shared(&self) -> bool {
        self.places().any(|place| place.shared)
    }

    /// As the edge reads it: a host and a gateway a line, the last line `end`. A host that two sites claim is the
    /// older site's.
    #[must_use]
    pub fn edge_file(&self) -> String {
        let mut hosts = BTreeMap::new();
        for place in self.places().filter(|place| place.shared) {
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
        let at = |place| Said::At(1, place);
        assert!(names.hear(first, at(place("one", true, 2)), None));
        assert!(!names.hear(first, at(place("one", true, 2)), None));
        assert!(names.hear(second, at(place("two", true, 3)), None));
        assert!(names.hear(third, at(place("three", false, 4)), None));
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
        assert!(names.hear(first, Said::Nowhere(1), None) && names.hear(second, Said::Nowhere(2), None));
        assert_eq!((names.edge_file().as_str(), names.any_shared()), ("end\n", false));
    }

    fn hosts(names: &Names) -> String {
        let records = names.records(IpAddr::from([127, 0, 0, 1]));
        let lines: Vec<_> = records.into_iter().map(|(name, to)| format!("{name} {to}\n")).collect();
        lines.concat()
    }

    #[test]
    fn the_names_of_a_site_that_the_store_has_lost_stay_while_anything_of_it_is_there() {
        let site = SiteId::new();
        let mut names = Names::default();
        names.hear(site, Said::At(2, place("one", false, 2)), None);
        for newest in [None, Some(1)] {
            names.hear(site, Said::Nothing, newest);
            assert_eq!(hosts(&names), "one.acm.www.wpaas.localhost 10.208.0.2\n");
            assert_eq!(names.sites().count(), 0, "nobody is told of it");
        }
        names.hear(site, Said::At(2, place("one", false, 2)), None);
        assert_eq!(names.sites().count(), 1, "it is known again");
        assert!(names.clone().hear(site, Said::Nowhere(Generation::MAX), None), "its tombstone is there");
        assert!(names.hear(site, Said::Nothing, Some(0)), "nothing of it is there");
        assert_eq!(names, Names::default());
    }

    #[test]
    fn a_name_that_another_site_has_now_is_not_the_lost_ones() {
        for lost_first in [true, false] {
            let (mut lost, mut other) = (SiteId::new(), SiteId::new());
            if !lost_first {
                std::mem::swap(&mut lost, &mut other);
            }
            let mut names = Names::default();
            names.hear(lost, Said::At(1, place("one", true, 2)), None);
            names.hear(lost, Said::Nothing, Some(1));
            names.hear(other, Said::At(1, SitePlace { shared: false, ..place("one", true, 3) }), None);
            assert_eq!(hosts(&names), "one.acm.www.wpaas.localhost 10.208.0.3\n");
            names.hear(other, Said::At(2, place("one", true, 3)), None);
            assert!(names.edge_file().starts_with("example.com 10.208.0.3\n"));
        }
    }

    #[test]
    fn what_a_store_says_that_is_behind_changes_no_name() {
        let site = SiteId::new();
        let mut names = Names::default();
        names.hear(site, Said::At(5, place("new", false, 2)), None);
        for newest in [None, Some(5), Some(4)] {
            assert!(!names.hear(site, Said::At(3, place("old", false, 3)), newest));
            assert!(!names.hear(site, Said::Nowhere(3), newest));
        }
        let mut changed = names.clone();
        assert!(changed.hear(site, Said::At(3, place("old", false, 3)), Some(3)), "nothing newer runs");
        assert!(names.hear(site, Said::At(6, place("old", false, 3)), None), "somebody has said it again");
        let kept: Names = serde_json::from_str(&serde_json::to_string(&names).unwrap()).unwrap();
        assert_eq!(kept, names);
    }
}
