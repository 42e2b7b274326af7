use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use wpaas_core::converge::{Applied, BackendError, Part};

use super::Task;
use crate::address;
use crate::error::{conflict, status, transient};
use crate::label::Labels;
use crate::listing::FoundNetwork;
use crate::name;
use crate::objects;
use crate::subnet::{Range, Subnet, routes};

/// Ranges refused before the step gives up.
const REFUSALS: usize = 8;

impl Task<'_> {
    /// Makes the site's network in a free range.
    pub(super) async fn create_network(&self) -> Result<Applied, BackendError> {
        let (listing, mut taken) = tokio::try_join!(self.look(), self.taken())?;
        if let Some(there) = listing.network(self.step.site) {
            return Ok(self.present_network(there));
        }
        let mut refused = Vec::new();
        loop {
            taken.extend(&refused);
            let subnet = self.free(&taken)?;
            match self.docker().create_network(self.network_request(subnet)).await {
                Ok(created) => return self.settle(created.id, subnet).await,
                // The range is taken, by somebody faster or by something that no listing shows. A taken name
                // (409) is another matter: there, somebody makes this very network.
                Err(error) if matches!(status(&error), Some(400 | 403 | 500)) && refused.len() < REFUSALS => {
                    refused.push(subnet.range());
                    taken = self.taken().await?;
                }
                Err(error) => return Err(self.failed("creating the", error)),
            }
        }
    }

    /// A range that nothing uses, as far as can be seen.
    fn free(&self, taken: &[Range]) -> Result<Subnet, BackendError> {
        let pool = self.inner.config.subnets;
        pool.allocate(taken, name::seed(self.step.site)).ok_or_else(|| {
            transient(format!("no range is free in {pool}: remove sites or configure a larger pool"))
        })
    }

    /// What other networks, and this host's routes where they can be read, use already.
    async fn taken(&self) -> Result<Vec<Range>, BackendError> {
        let networks = self.docker().list_networks(None).await;
        let networks = networks.map_err(|error| self.failed("looking for a range for the", error))?;
        let ranges = networks.into_iter().filter_map(|network| network.ipam?.config).flatten();
        let mut taken: Vec<Range> =
            ranges.filter_map(|range| range.subnet.as_deref().and_then(Range::parse)).collect();
        if !self.connection.remote {
            // Absent where there is no Linux: then the Engine's own check has to do.
            taken.extend(
                tokio::fs::read_to_string("/proc/net/route").await.iter().flat_map(|table| routes(table)),
            );
        }
        Ok(taken)
    }

    fn network_request(&self, subnet: Subnet) -> NetworkCreateRequest {
        let range = IpamConfig {
            subnet: Some(subnet.to_string()),
            gateway: subnet.host(address::BRIDGE).map(|address| address.to_string()),
            ..IpamConfig::default()
        };
        NetworkCreateRequest {
            name: name::of(self.step.site, Part::Network),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam { config: Some(vec![range]), ..Ipam::default() }),
            enable_ipv6: Some(false),
            labels: Some(Labels::of(self.step).write(&self.inner.config.installation)),
            ..NetworkCreateRequest::default()
        }
    }

    /// Old Engines let a name be taken twice: the older network stays, ours goes if it is the younger one.
    async fn settle(&self, id: String, subnet: Subnet) -> Result<Applied, BackendError> {
        let listing = self.inner.list_site(self.docker(), self.step.site).await?;
        match listing.network(self.step.site) {
            Some(first) if first.id != id => {
                let removed = self.docker().remove_network(&id).await;
                removed.map_err(|error| self.failed("removing a second", error))?;
                Err(conflict(format!("{} got a network from somebody else meanwhile", self.step.site)))
            }
            Some(first) => Ok(self.present_network(first)),
            None => {
                let labels = Labels::of(self.step);
                let made = FoundNetwork { id, labels, created: String::new(), subnet: Some(subnet) };
                Ok(self.present_network(&made))
            }
        }
    }

    fn present_network(&self, found: &FoundNetwork) -> Applied {
        self.inner.memory.made(&found.labels);
        Applied::Present(objects::network(found, self.inner.ports(&self.connection)))
    }
}
