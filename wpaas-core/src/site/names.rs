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

/// Where visitors find the edge that sites share, at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgePorts {
    /// Of plain HTTP.
    pub http: u16,
    /// Of HTTPS; `None` where the edge speaks none.
    pub https: Option<u16>,
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
    /// The edge's ports, for a site that is reached there.
    pub edge: Option<EdgePorts>,
}

/// The default ports, which no authority names.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

impl SiteNames {
    /// Of a site with this platform name, where the edge listens at these ports. A domain that is not proved is none.
    #[must_use]
    pub fn of(site: &Site, platform: Hostname, edge: Option<EdgePorts>) -> Self {
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

    /// The host that the site calls itself by; `None` when it does so by its address.
    #[must_use]
    pub fn home_host(&self) -> Option<&Hostname> {
        self.primary.as_ref().or(self.edge.map(|_| &self.platform))
    }

    /// The authority that the site calls itself by; `None` when that is its address.
    #[must_use]
    pub fn home(&self) -> Option<String> {
        self.home_host().map(|host| self.plain(host))
    }

    /// Where a host is found over plain HTTP.
    fn plain(&self, host: &Hostname) -> String {
        let port = self.edge.map_or(HTTP, |edge| edge.http);
        other_port(host, port, HTTP).unwrap_or_else(|| host.to_string())
    }

    /// Where a host is found over HTTPS; `None` where nobody speaks that.
    #[must_use]
    pub fn secure(&self, host: &Hostname) -> Option<String> {
        let port = self.edge.map_or(Some(HTTPS), |edge| edge.https)?;
        Some(other_port(host, port, HTTPS).unwrap_or_else(|| host.to_string()))
    }

    /// The authority of plain HTTP that is to redirect to HTTPS once the host has a certificate, and to which there.
    #[must_use]
    pub fn secured(&self, host: &Hostname) -> Option<(String, String)> {
        Some((self.plain(host), self.secure(host)?))
    }

    /// Whether HTTP and HTTPS are where browsers look for both: only there can a host have itself asked for over HTTPS
    /// alone, as a browser keeps any other port.
    #[must_use]
    pub fn at_usual_ports(&self) -> bool {
        self.edge.is_none_or(|edge| edge == EdgePorts { http: HTTP, https: Some(HTTPS) })
    }

    /// Only domains redirect: an address and the platform's names answer as what they are.
    fn redirects_from(&self, host: &Hostname) -> bool {
        self.primary.as_ref().is_some_and(|primary| primary != host) && self.domains.contains(host)
    }

    /// A host, and where else the edge has it.
    fn at_ports(&self, host: &Hostname) -> impl Iterator<Item = String> + use<> {
        let plain = self.edge.and_then(|edge| other_port(host, edge.http, HTTP));
        let secure = self.edge.and_then(|edge| other_port(host, edge.https?, HTTPS));
        std::iter::once(host.to_string()).chain(plain).chain(secure)
    }
}

/// A host with its port, unless that is the usual one.
fn other_port(host: &Hostname, port: u16, usual: u16) -> Option<String> {
    (port != usual).then(|| format!("{host}:{port}"))
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

    const USUAL: EdgePorts = EdgePorts { http: HTTP, https: Some(HTTPS) };

    fn host(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    fn names(primary: Option<&str>, edge: Option<EdgePorts>) -> SiteNames {
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
        let ports = Some(EdgePorts { http: 8000, https: Some(8443) });
        let shared = names(Some("www.example.com"), ports);
        assert_eq!(
            shared.authorities(),
            [
                "blog.acm.www.wpaas.localhost",
                "blog.acm.www.wpaas.localhost:8000",
                "blog.acm.www.wpaas.localhost:8443",
                "www.example.com",
                "www.example.com:8000",
                "www.example.com:8443"
            ]
        );
        let to = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            shared.redirects(),
            [
                to("example.com", "www.example.com"),
                to("example.com:8000", "www.example.com:8000"),
                to("example.com:8443", "www.example.com:8443")
            ]
        );
        assert_eq!(shared.home().as_deref(), Some("www.example.com:8000"));
        assert_eq!(names(None, ports).home().as_deref(), Some("blog.acm.www.wpaas.localhost:8000"));
        let usual = names(None, Some(USUAL));
        assert_eq!(usual.home().as_deref(), Some("blog.acm.www.wpaas.localhost"));
    }

    #[test]
    fn plain_http_redirects_to_where_https_is() {
        let to = |edge| names(None, edge).secured(&host("example.com"));
        let pair = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let ports = |http, https| Some(EdgePorts { http, https });
        assert_eq!(to(None), pair("example.com", "example.com"));
        assert_eq!(to(Some(USUAL)), pair("example.com", "example.com"));
        assert_eq!(to(ports(8000, Some(8443))), pair("example.com:8000", "example.com:8443"));
        assert_eq!(to(ports(80, Some(8443))), pair("example.com", "example.com:8443"));
        assert_eq!(to(ports(8000, Some(443))), pair("example.com:8000", "example.com"));
        assert_eq!(to(ports(80, None)), None, "an edge without HTTPS");
        let usual = [None, Some(USUAL), ports(80, None), ports(8000, Some(443))];
        assert_eq!(usual.map(|edge| names(None, edge).at_usual_ports()), [true, true, false, false]);
    }
}
