//! What a site's spec may be: pure checks.

use std::collections::{BTreeMap, BTreeSet};

use crate::converge::Part;
use crate::name::{Hostname, Slug};
use crate::quota::Usage;
use crate::service::{ServiceError, Settings};
use crate::site::{
    AddressKind, Autoscale, Hsts, Proof, Releases, Route, Site, SiteLifecycle, SiteSpec, platform_name,
    route_name,
};

/// Half of the slots for visitors are kept free, so that every node can be replaced before the old one goes.
const MOST_INSTANCES: u16 = Part::APART_SLOTS as u16 / 2;
/// As many as a gateway sends to an instance at a time.
const MOST_REQUESTS: u16 = 32;
/// Two years: what is said to browsers can't be taken back from those that don't come again.
const LONGEST_HSTS: u32 = 2 * 365 * 24 * 3600;
const MOST_DOMAINS: usize = 50;
/// `_wpaas.` before it makes 253 characters, the most of DNS.
const LONGEST_DOMAIN: usize = 246;
const MOST_ROUTES: usize = 20;
/// Each is a node of its own, in one of the slots that the site's own traffic does not reach.
const MOST_PREVIEWS: usize = 5;
const MOST_LABELS: usize = 64;
const LONGEST_TITLE: usize = 200;
const LONGEST_LABEL: usize = 63;

/// Whether the spec can be kept as it is.
pub(super) fn check(spec: &SiteSpec, settings: &Settings) -> Result<(), ServiceError> {
    let most = settings.max_instances.min(MOST_INSTANCES);
    if spec.num_instances > most {
        return Err(ServiceError::invalid("num_instances", format!("must be from 0 to {most}")));
    }
    check_autoscale(spec, most)?;
    check_hsts(spec.features.hsts)?;
    check_title(&spec.title)?;
    check_domains(&spec.domains, settings)?;
    check_primary(spec)?;
    check_address(spec.address, settings)?;
    check_labels(&spec.labels)
}

fn check_autoscale(spec: &SiteSpec, most: u16) -> Result<(), ServiceError> {
    let Some(Autoscale { min, max, target }) = spec.features.autoscale else { return Ok(()) };
    let invalid = |field, why: String| Err(ServiceError::invalid(field, why));
    if !(1..=most).contains(&max) {
        return invalid("features.autoscale.max", format!("must be from 1 to {most}"));
    }
    if !(1..=max).contains(&min) {
        return invalid("features.autoscale.min", format!("must be from 1 to max, which is {max}"));
    }
    if !(1..=MOST_REQUESTS).contains(&target) {
        let why = format!("must be from 1 to {MOST_REQUESTS} requests under way in an instance");
        return invalid("features.autoscale.target", why);
    }
    // Nobody loses instances by having them scaled.
    let asked = spec.num_instances;
    if asked > max {
        let why = format!("must be {asked} or more, as many as num_instances, unless that is lowered");
        return invalid("features.autoscale.max", why);
    }
    Ok(())
}

fn check_hsts(hsts: Option<Hsts>) -> Result<(), ServiceError> {
    if hsts.is_some_and(|hsts| hsts.max_age > LONGEST_HSTS) {
        let why = format!("must be from 0 to {LONGEST_HSTS} seconds, which are two years");
        return Err(ServiceError::invalid("features.hsts.max_age", why));
    }
    Ok(())
}

fn check_title(title: &str) -> Result<(), ServiceError> {
    let length = title.chars().count();
    if title.trim().is_empty() || length > LONGEST_TITLE || title.contains(char::is_control) {
        let why = format!("must have 1 to {LONGEST_TITLE} characters on one line");
        return Err(ServiceError::invalid("title", why));
    }
    Ok(())
}

fn check_domains(domains: &[Hostname], settings: &Settings) -> Result<(), ServiceError> {
    let invalid = |why: String| Err(ServiceError::invalid("domains", why));
    if domains.len() > MOST_DOMAINS {
        return invalid(format!("must be {MOST_DOMAINS} or fewer"));
    }
    if domains.iter().collect::<BTreeSet<_>>().len() < domains.len() {
        return invalid("names a domain twice".to_owned());
    }
    let unfit = |domain: &Hostname| unfit_domain(domain, settings).map(|why| format!("{domain} {why}"));
    domains.iter().find_map(unfit).map_or(Ok(()), invalid)
}

/// Why nobody can have this domain, whatever they prove.
fn unfit_domain(domain: &Hostname, settings: &Settings) -> Option<&'static str> {
    let platform = &settings.platform_domain;
    if is_within(domain, platform) {
        return Some("belongs to the platform, which gives its names itself");
    }
    let related = |name: &&Hostname| is_within(domain, name) || is_within(name, domain);
    if is_within(platform, domain) || settings.reserved_domains.iter().any(|name| related(&name)) {
        return Some("belongs to the platform");
    }
    if psl::domain_str(domain.as_str()).is_none() {
        return Some("is a public suffix, below which names are registered: name one of those");
    }
    (domain.as_str().len() > LONGEST_DOMAIN).then_some("is too long for the record that proves whose it is")
}

/// Whether a name is another one, or below it.
fn is_within(name: &Hostname, above: &Hostname) -> bool {
    name.as_str().strip_suffix(above.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn check_primary(spec: &SiteSpec) -> Result<(), ServiceError> {
    match &spec.primary_domain {
        Some(primary) if !spec.domains.contains(primary) => Err(ServiceError::invalid(
            "primary_domain",
            format!("{primary} is not one of the site's domains"),
        )),
        _ => Ok(()),
    }
}

fn check_address(address: AddressKind, settings: &Settings) -> Result<(), ServiceError> {
    match (address, settings.edge_ports) {
        (AddressKind::Shared, None) => {
            Err(ServiceError::invalid("address", "this platform has no edge to share: use own"))
        }
        (AddressKind::Own | AddressKind::Shared, _) => Ok(()),
    }
}

/// Whether every route has a name, and shows a release that has proved itself.
pub(super) fn check_routes(
    routes: &BTreeMap<Slug, Route>,
    releases: &Releases,
    platform: &Hostname,
) -> Result<(), ServiceError> {
    let invalid = |why: String| Err(ServiceError::invalid("routes", why));
    if routes.len() > MOST_ROUTES {
        return invalid(format!("must be {MOST_ROUTES} or fewer"));
    }
    for (route, shown) in routes {
        if route_name(route, platform).is_none() {
            return invalid(format!("{route}.{platform} is too long for DNS: shorten the route"));
        }
        let proved = |id| matches!(releases.get(id).map(|it| &it.proof), Some(Proof::Proved { .. }));
        if let Some(id) = shown.release.filter(|id| !proved(*id)) {
            return invalid(format!(
                "{route} shows {id}, which is no release of the site that serves or is kept"
            ));
        }
    }
    let shown: BTreeSet<_> = routes.values().filter_map(|route| route.release).collect();
    if shown.len() > MOST_PREVIEWS {
        return invalid(format!("must show {MOST_PREVIEWS} releases or fewer"));
    }
    Ok(())
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let fit =
        |text: &str| text.len() <= LONGEST_LABEL && !text.contains(|c: char| c.is_control() || c == ',');
    let fine =
        |(key, value): (&String, &String)| !key.is_empty() && !key.contains('=') && fit(key) && fit(value);
    if labels.len() > MOST_LABELS || !labels.iter().all(fine) {
        let why = format!(
            "must be {MOST_LABELS} or fewer, keys and values of at most {LONGEST_LABEL} bytes without commas, \
             keys without ="
        );
        return Err(ServiceError::invalid("labels", why));
    }
    Ok(())
}

/// The site's name under the platform's domain.
pub(super) fn platform(
    name: &Slug,
    cid: &crate::name::Cid,
    org: &Slug,
    settings: &Settings,
) -> Result<Hostname, ServiceError> {
    platform_name(name, cid, org, &settings.platform_domain).ok_or_else(|| {
        ServiceError::invalid(
            "name",
            "with its org and the platform's domain it is too long for DNS: shorten it",
        )
    })
}

/// What a site uses of the quotas. One that is deleted keeps its volumes only, as long as its grace lasts.
pub(in crate::service) fn usage(site: &Site, settings: &Settings) -> Usage {
    let nodes = u32::from(site.spec.database.nodes());
    let storage_gib = settings.volumes.database_gib * nodes + settings.volumes.uploads_gib;
    match site.lifecycle {
        SiteLifecycle::Live => Usage {
            sites: 1,
            wordpress_instances: u32::from(site.instances()),
            database_instances: nodes,
            storage_gib,
        },
        SiteLifecycle::Deleting { .. } => Usage { storage_gib, ..Usage::default() },
    }
}
