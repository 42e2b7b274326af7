use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::{Service, Settings};
use crate::fleet::{Names, SitePlace};
use crate::id::SiteId;
use crate::name::Slug;
use crate::site::{AddressKind, Site, SiteAddress, SiteNames, platform_name};
use crate::store::{Page, SiteFacts, StoreError};

/// Sites read at a time.
const PIECE: usize = 500;

impl Service {
    /// Where every site is that is to run and was seen to have an address.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub async fn names(&self) -> Result<Names, StoreError> {
        let mut page = Page::first(PIECE);
        let mut places = BTreeMap::new();
        loop {
            let sites = self.store().site_facts(&page).await?;
            page.after = sites.last().map(|facts| facts.site.id);
            let is_last = sites.len() < PIECE;
            for facts in sites {
                if let Some(place) = self.place_of(&facts).await? {
                    places.insert(facts.site.id, place);
                }
            }
            if is_last {
                return Ok(Names::new(places));
            }
        }
    }

    /// Where one site is; `None` for one that is not to run, or has no address yet.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub async fn names_of(&self, site: SiteId) -> Result<Option<SitePlace>, StoreError> {
        match self.store().site_facts_of(site).await? {
            Some(facts) => self.place_of(&facts).await,
            None => Ok(None),
        }
    }

    async fn place_of(&self, facts: &SiteFacts) -> Result<Option<SitePlace>, StoreError> {
        let stored = self.store().site(facts.site.id).await?;
        let address = stored.and_then(|stored| stored.status?.status.address);
        Ok(address.and_then(|address| place(facts, &address, self.settings())))
    }
}

impl Settings {
    /// The names of a site in an org of this name; `None` when its platform name would be too long for DNS.
    pub(super) fn names_of(&self, site: &Site, org: &Slug) -> Option<SiteNames> {
        let platform = platform_name(&site.name, &site.cid, org, &self.platform_domain)?;
        Some(SiteNames::of(site, platform, self.edge_ports))
    }
}

/// Where a site is. Pure.
fn place(facts: &SiteFacts, address: &SiteAddress, settings: &Settings) -> Option<SitePlace> {
    if !facts.is_live() {
        return None;
    }
    let SiteFacts { site, org_name, customer: _, founded: _, challenge: _ } = facts;
    let SiteNames { platform, domains, routes, primary: _, edge: _ } =
        settings.names_of(site, org_name.as_ref()?)?;
    let SiteAddress { ip, local_port } = *address;
    Some(SitePlace {
        platform: std::iter::once(platform).chain(routes.into_values()).collect(),
        domains,
        gateway: ip,
        public: local_port.map_or(ip, |_| IpAddr::from(Ipv4Addr::LOCALHOST)),
        shared: site.spec.address == AddressKind::Shared,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Lifecycle;
    use crate::service::test::{NOW, settings, site};
    use crate::site::SiteLifecycle;

    #[test]
    fn a_site_that_is_not_to_run_has_no_place() {
        let facts = |site, customer| SiteFacts {
            site,
            customer,
            org_name: Some(Slug::default_name()),
            founded: true,
            challenge: None,
        };
        let address = SiteAddress { ip: IpAddr::from([10, 208, 0, 2]), local_port: None };
        let of = |facts: &SiteFacts| place(facts, &address, &settings());
        let found = of(&facts(site(), Lifecycle::Active)).unwrap();
        assert_eq!(found.platform, ["blog.acm.www.wpaas.localhost".parse().unwrap()]);
        assert_eq!((found.public, found.shared), (address.ip, false));
        assert_eq!(of(&facts(site(), Lifecycle::Suspended)), None);
        let mut deleted = site();
        deleted.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: NOW };
        assert_eq!(of(&facts(deleted, Lifecycle::Active)), None);
        let published = SiteAddress { local_port: Some(20_000), ..address.clone() };
        let found = place(&facts(site(), Lifecycle::Active), &published, &settings()).unwrap();
        assert_eq!((found.gateway, found.public), (address.ip, IpAddr::from([127, 0, 0, 1])));
    }
}
