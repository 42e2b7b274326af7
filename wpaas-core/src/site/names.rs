//! The names of a site: what its gateway answers to, and what it calls itself by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Site;
use crate::name::{Cid, Hostname, Slug};

/// Where a site is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AddressKind {
    /// At an address that no other site has.
    #[default]
    Own,
    /// By its names as well, at the edge that many sites share.
    Shared,
}

/// The names a site has besides its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteNames {
    /// `<site>.<org label>.www.<domain>`.
    pub platform: Hostname,
    /// The site's own domains: of those that it asks for, those that are proved to be its.
    pub domains: Vec<Hostname>,
    /// The one of them that the others redirect to.
    pub primary: Option<Hostname>,
    /// `<route>.<site>.<org label>.www.<domain>`, by route.
    pub routes: BTreeMap<Slug, Hostname>,
    /// The edge's port, for a site that is reached there.
    pub edge: Option<u16>,
}

/// The default port of HTTP, which no authority names.
const HTTP: u16 = 80;

impl SiteNames {
    /// Of a site with this platform name, where the edge listens at this port. A domain that is not proved is none.
    #[must_use]
    pub fn of(site: &Site, platform: Hostname, edge: Option<u16>) -> Self {
        let held = |domain: &&Hostname| site.domains.holds(domain);
        let named = |route: &Slug| Some((route.clone(), route_name(route, &platform)?));
        Self {
            routes: site.spec.routes.keys().filter_map(named).collect(),
            platform,
            domains: site.spec.domains.iter().filter(held).cloned().collect(),
            primary: site.spec.primary_domain.as_ref().filter(held).cloned(),
            edge: edge.filter(|_| site.spec.address == AddressKind::Shared),
        }
    }

    /// Every host name, each of which leads to the site.
    pub fn hosts(&self) -> impl Iterator<Item = &Hostname> {
        std::iter::once(&self.platform).chain(&self.domains)
    }

    /// Every host name, with those of its routes.
    pub fn all_hosts(&self) -> impl Iterator<Item = &Hostname> {
        self.hosts().chain(self.routes.values())
    }

    /// The authorities of one of its routes; none of one that it has not.
    #[must_use]
    pub fn of_route(&self, route: &Slug) -> Vec<String> {
        self.routes.get(route).into_iter().flat_map(|host| self.at_ports(host)).collect()
    }

    /// The authorities that the site answers: a host, or a host and a port; without those of its routes.
    #[must_use]
    pub fn authorities(&self) -> Vec<String> {
        self.hosts().filter(|host| !self.redirects_from(host)).flat_map(|host| self.at_ports(host)).collect()
    }

    /// The authorities that redirect, and where to.
    #[must_use]
    pub fn redirects(&self) -> Vec<(String, String)> {
        let Some(primary) = &self.primary else { return Vec::new() };
        let from = self.domains.iter().filter(|host| self.redirects_from(host));
        from.flat_map(|host| self.at_ports(host).zip(self.at_ports(primary))).collect()
    }

    /// The authority that the site calls itself by; `None` when that is its address.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        let shared = self.edge.map(|_| &self.platform);
        // At the edge, the port comes last.
        self.primary.as_ref().or(shared).and_then(|host| self.at_ports(host).last())
    }

    /// Only domains redirect: an address and the platform's names answer as what they are.
    fn redirects_from(&self, host: &Hostname) -> bool {
        self.primary.as_ref().is_some_and(|primary| primary != host) && self.domains.contains(host)
    }

    fn at_ports(&self, host: &Hostname) -> impl Iterator<Item = String> + use<> {
        let at_edge = self.edge.filter(|port| *port != HTTP).map(|port| format!("{host}:{port}"));
        std::iter::once(host.to_string()).chain(at_edge)
    }
}

/// An org's DNS label: the cid for the default org, `<org>-<cid>` for another.
///
/// A cid has no hyphen, so the last hyphen splits the label again.
#[must_use]
pub fn org_label(cid: &Cid, org: &Slug) -> String {
    if *org == Slug::default_name() { cid.to_string() } else { format!("{org}-{cid}") }
}

/// A site's name under the platform's domain; `None` when a label or the whole would be too long for DNS.
#[must_use]
pub fn platform_name(site: &Slug, cid: &Cid, org: &Slug, domain: &Hostname) -> Option<Hostname> {
    format!("{site}.{}.www.{domain}", org_label(cid, org)).parse().ok()
}

/// The name of one of a site's routes, below the site's own; `None` when it would be too long for DNS.
#[must_use]
pub fn route_name(route: &Slug, platform: &Hostname) -> Option<Hostname> {
    format!("{route}.{platform}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    fn names(primary: Option<&str>, edge: Option<u16>) -> SiteNames {
        SiteNames {
            platform: host("blog.acm.www.wpaas.localhost"),
            domains: vec![host("example.com"), host("www.example.com")],
            primary: primary.map(host),
            routes: BTreeMap::new(),
            edge,
        }
    }

    #[test]
    fn platform_names_follow_the_org() {
        let (site, cid): (Slug, Cid) = ("blog".parse().unwrap(), "acm".parse().unwrap());
        let domain: Hostname = "wpaas.localhost".parse().unwrap();
        let name =
            |org: &str| platform_name(&site, &cid, &org.parse().unwrap(), &domain).unwrap().to_string();
        assert_eq!(name("default"), "blog.acm.www.wpaas.localhost");
        assert_eq!(name("team-a"), "blog.team-a-acm.www.wpaas.localhost");
        let long: Slug = "x".repeat(63).parse().unwrap();
        assert_eq!(platform_name(&site, &cid, &long, &domain), None);
    }

    #[test]
    fn every_name_answers_until_one_is_primary() {
        let all = names(None, None);
        assert_eq!(
            all.authorities(),
            ["blog.acm.www.wpaas.localhost", "example.com", "www.example.com"].map(str::to_owned)
        );
        assert_eq!((all.redirects(), all.home()), (Vec::new(), None));

        let primary = names(Some("www.example.com"), None);
        assert_eq!(primary.authorities(), ["blog.acm.www.wpaas.localhost", "www.example.com"]);
        assert_eq!(primary.redirects(), [("example.com".to_owned(), "www.example.com".to_owned())]);
        assert_eq!(primary.home().as_deref(), Some("www.example.com"));
    }

    #[test]
    fn at_an_edge_every_name_has_its_port_too() {
        let shared = names(Some("www.example.com"), Some(8000));
        assert_eq!(
            shared.authorities(),
            [
                "blog.acm.www.wpaas.localhost",
                "blog.acm.www.wpaas.localhost:8000",
                "www.example.com",
                "www.example.com:8000"
            ]
        );
        let to = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            shared.redirects(),
            [to("example.com", "www.example.com"), to("example.com:8000", "www.example.com:8000")]
        );
        assert_eq!(shared.home().as_deref(), Some("www.example.com:8000"));
        assert_eq!(names(None, Some(8000)).home().as_deref(), Some("blog.acm.www.wpaas.localhost:8000"));
        assert_eq!(names(None, Some(80)).home().as_deref(), Some("blog.acm.www.wpaas.localhost"));
    }
}
