//! What the Engine lists of an installation or a site: three calls, whatever the number of sites.

use std::collections::HashMap;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State, Network, Volume};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
};
use jiff::Timestamp;
use tracing::warn;
use wpaas_core::converge::{Part, Scope};
use wpaas_core::id::SiteId;

use crate::label::{INSTALLATION, Labels, MADE, Mark, SITE};
use crate::subnet::Subnet;

/// What carries the installation's label and could be read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub containers: Vec<FoundContainer>,
    pub networks: Vec<FoundNetwork>,
    pub volumes: Vec<FoundVolume>,
    /// What carries it and could not be read.
    pub unreadable: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct FoundContainer {
    pub id: String,
    pub name: String,
    pub labels: Labels,
    pub state: State,
    /// Ids of the networks that it is attached to, or was when it last ran.
    pub networks: Vec<String>,
    /// Names of the volumes that it mounts.
    pub volumes: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct FoundNetwork {
    pub id: String,
    pub labels: Labels,
    /// As the Engine writes it, sortable.
    pub created: String,
    /// `None` for a network that is not as we make them.
    pub subnet: Option<Subnet>,
}

#[derive(Debug, Clone)]
pub(crate) struct FoundVolume {
    pub name: String,
    pub labels: Labels,
    /// When, as far as its label tells.
    pub made: Option<Timestamp>,
}

impl Listing {
    /// Lists. Containers come first: the network of a container seen was there before it, so that one which
    /// is missing in the later listing is gone.
    pub(crate) async fn fetch(docker: &Docker, installation: &str, scope: &Scope) -> Result<Self, Error> {
        let filters = filters(installation, scope);
        let containers = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers = docker.list_containers(Some(containers)).await?;
        let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let (networks, volumes) =
            tokio::try_join!(docker.list_networks(Some(networks)), docker.list_volumes(Some(volumes)))?;
        Ok(Self::read(installation, containers, networks, volumes.volumes.unwrap_or_default()))
    }

    fn read(
        installation: &str,
        containers: Vec<ContainerSummary>,
        networks: Vec<Network>,
        volumes: Vec<Volume>,
    ) -> Self {
        let mut listing = Self::default();
        for summary in containers {
            let labels = listing.labels_of(installation, summary.labels.as_ref(), summary.id.as_deref());
            listing.containers.extend(labels.and_then(|labels| container(summary, labels)));
        }
        for network in networks {
            let labels = listing.labels_of(installation, network.labels.as_ref(), network.name.as_deref());
            listing.networks.extend(labels.and_then(|labels| found_network(network, labels)));
        }
        for volume in volumes {
            let labels = listing.labels_of(installation, Some(&volume.labels), Some(&volume.name));
            let made = made(&volume.labels);
            listing.volumes.extend(labels.map(|labels| FoundVolume { name: volume.name, labels, made }));
        }
        // The oldest first: where something is there twice, it is the one that counts.
        listing.networks.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        listing.volumes.sort_by(|a, b| (a.labels.mark, &a.name).cmp(&(b.labels.mark, &b.name)));
        listing
    }

    fn labels_of(
        &mut self,
        installation: &str,
        labels: Option<&HashMap<String, String>>,
        name: Option<&str>,
    ) -> Option<Labels> {
        Labels::read(labels?, installation).unwrap_or_else(|_| {
            warn!(name, "the labels of an object of this installation can't be read; it is left alone");
            self.unreadable += 1;
            None
        })
    }

    /// Of everything found.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Labels> {
        let containers = self.containers.iter().map(|found| &found.labels);
        let networks = self.networks.iter().map(|found| &found.labels);
        containers.chain(networks).chain(self.volumes.iter().map(|found| &found.labels))
    }

    /// The newest mark on anything found.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.labels().map(|labels| labels.mark).max()
    }

    /// The site's network.
    pub(crate) fn network(&self, site: SiteId) -> Option<&FoundNetwork> {
        self.networks.iter().find(|found| found.labels.site == site && found.labels.part == Part::Network)
    }

    /// The volume that is this part, or that a release is in.
    pub(crate) fn volume(&self, site: SiteId, part: Part) -> Option<&FoundVolume> {
        self.volumes.iter().find(|found| found.labels.site == site && found.labels.part == part)
    }

    /// The containers of this part: a node, or the keepers of a release.
    pub(crate) fn containers(&self, site: SiteId, part: Part) -> impl Iterator<Item = &FoundContainer> {
        self.containers.iter().filter(move |found| found.labels.site == site && found.labels.part == part)
    }
}

fn filters(installation: &str, scope: &Scope) -> HashMap<String, Vec<String>> {
    let mut labels = vec![format!("{INSTALLATION}={installation}")];
    if let Scope::Site(site) = scope {
        labels.push(format!("{SITE}={site}"));
    }
    HashMap::from([("label".to_owned(), labels)])
}

fn container(summary: ContainerSummary, labels: Labels) -> Option<FoundContainer> {
    let attached = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let networks = attached.into_values().filter_map(|endpoint| endpoint.network_id);
    let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    Some(FoundContainer {
        id: summary.id?,
        name: name.trim_start_matches('/').to_owned(),
        labels,
        state: summary.state?,
        networks: networks.filter(|id| !id.is_empty()).collect(),
        volumes: summary.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.name).collect(),
    })
}

/// When a volume was made.
pub(crate) fn made(labels: &HashMap<String, String>) -> Option<Timestamp> {
    labels.get(MADE)?.parse().ok()
}

fn found_network(network: Network, labels: Labels) -> Option<FoundNetwork> {
    let ranges = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let subnet = ranges.first().and_then(|range| range.subnet.as_deref()).and_then(Subnet::parse);
    let created = network.created.unwrap_or_default();
    Some(FoundNetwork { id: network.id?, labels, created, subnet })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_is_counted_and_the_rest_is_found() {
        let site = SiteId::new();
        let labels = |part| Labels { site, part, mark: (1, 1), fingerprint: None, host: None };
        let volume = |name: &str, labels| Volume { name: name.to_owned(), labels, ..Volume::default() };
        let mut damaged = labels(Part::UploadsVolume).write("lab");
        damaged.insert(SITE.to_owned(), "site_?".to_owned());
        let listing = Listing::read(
            "lab",
            Vec::new(),
            Vec::new(),
            vec![
                volume("ours", labels(Part::UploadsVolume).write("lab")),
                volume("foreign", labels(Part::UploadsVolume).write("another")),
                volume("damaged", damaged),
            ],
        );
        assert_eq!(listing.unreadable, 1);
        assert_eq!(listing.volumes.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["ours"]);
        assert_eq!(listing.mark(), Some((1, 1)));
        assert!(listing.volume(site, Part::UploadsVolume).is_some());
        assert!(listing.volume(site, Part::DatabaseVolume(0)).is_none());
    }

    #[test]
    fn a_site_is_asked_for_by_two_labels() {
        let site = SiteId::new();
        let filters = filters("lab", &Scope::Site(site));
        assert_eq!(filters["label"], ["wpaas.installation=lab".to_owned(), format!("wpaas.site={site}")]);
    }
}
