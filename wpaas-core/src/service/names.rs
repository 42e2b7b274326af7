use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::{Service, Settings};
use crate::fleet::{Said, SitePlace};
use crate::id::SiteId;
use crate::name::Slug;
use crate::site::{AddressKind, Generation, Site, SiteAddress, SiteNames, platform_name};
use crate::store::{Page, SiteFacts, StoreError};

/// Sites read at a time.
const PIECE: usize = 500;

impl Service {
    /// Where every site is that there is.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub async fn names(&self) -> Result<BTreeMap<SiteId, Said>, StoreError> {
        let mut page = Page::first(PIECE);
        let mut said = BTreeMap::new();
        loop {
            let sites = self.store().site_facts(&page).await?;
            page.after = sites.last().map(|facts| facts.site.id);
            let is_last = sites.len() < PIECE;
            for facts in sites {
                said.insert(facts.site.id, self.said_of(&facts).await?);
            }
            if is_last {
                return Ok(said);
            }
        }
    }

    /// Where one site is.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub async fn names_of(&self, site: SiteId) -> Result<Said, StoreError> {
        match self.store().site_facts_of(site).await? {
            Some(facts) => self.said_of(&facts).await,
            None if self.store().tombstone(site).await?.is_some() => Ok(Said::Nowhere(Generation::MAX)),
            None => Ok(Said::Nothing),
        }
    }

    async fn said_of(&self, facts: &SiteFacts) -> Result<Said, StoreError> {
        let stored = self.store().site(facts.site.id).await?;
        let address = stored.and_then(|stored| stored.status?.status.address);
        Ok(said(facts, address.as_ref(), self.settings()))
    }
}

impl Settings {
    /// The names of a site in an org of this name; `None` when its platform name would be too long for DNS.
    pub(super) fn names_of(&self, site: &Site, org: &Slug) -> Option<SiteNames> {
        let platform = platform_name(&site.name, &site.cid, org, &self.platform_domain)?;
        Some(SiteNames::of(site, platform, self.edge_ports))
    }
}

/// Where a site is that was seen to have this address. Pure.
fn said(facts: &SiteFacts, address: Option<&SiteAddress>, settings: &Settings) -> Said {
    let SiteFacts { site, org_name, customer: _, founded: _, challenge: _ } = facts;
    let names = org_name.as_ref().filter(|_| facts.is_live()).and_then(|org| settings.names_of(site, org));
    match (names, address) {
        (None, _) => Said::Nowhere(site.generation),
        (Some(_), None) => Said::Nothing,
        (Some(names), Some(address)) => Said::At(site.generation, place(site, names, address)),
    }
}

fn place(site: &Site, names: SiteNames, address: &SiteAddress) -> SitePlace {
    let SiteNames { platform, domains, routes, primary: _, edge: _ } = names;
    let SiteAddress { ip, local_port } = *address;
    SitePlace {
        platform: std::iter::once(platform).chain(routes.into_values()).collect(),
        domains,
        gateway: ip,
        public: local_port.map_or(ip, |_| IpAddr::from(Ipv4Addr::LOCALHOST)),
        shared: site.spec.address == AddressKind::Shared,
    }
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
        let there = |facts: &SiteFacts, address: &SiteAddress| match said(facts, Some(address), &settings()) {
            Said::At(1, place) => Some(place),
            Said::Nowhere(1) => None,
            other => panic!("{other:?}"),
        };
        let of = |facts: &SiteFacts| there(facts, &address);
        let active = facts(site(), Lifecycle::Active);
        assert_eq!(said(&active, None, &settings()), Said::Nothing);
        let found = of(&active).unwrap();
        assert_eq!(found.platform, ["blog.acm.www.wpaas.localhost".parse().unwrap()]);
        assert_eq!((found.public, found.shared), (address.ip, false));
        assert_eq!(of(&facts(site(), Lifecycle::Suspended)), None);
        let mut deleted = site();
        deleted.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: NOW };
        assert_eq!(of(&facts(deleted, Lifecycle::Active)), None);
        let published = SiteAddress { local_port: Some(20_000), ..address.clone() };
        let found = there(&active, &published).unwrap();
        assert_eq!((found.gateway, found.public), (address.ip, IpAddr::from([127, 0, 0, 1])));
    }
}
