use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use wpaas_core::converge::{BackendError, Part};
use wpaas_core::secret::{SecretName, SecretRef};

use super::Task;
use crate::cloud::{CloudError, When};
use crate::error::{conflict, no_secret};
use crate::key;

/// The name by which nodes find the gateway that has the site's address, whichever it is.
const GATEWAY: &str = "gateway-0";

/// Addresses of a site's nodes, as in `/etc/hosts`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hosts(BTreeMap<String, Ipv4Addr>);

impl Hosts {
    fn read(text: &str) -> Self {
        let line = |line: &str| {
            let (ip, name) = line.split_once(' ')?;
            Some((name.to_owned(), ip.parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn write(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, ip)| {
            let _infallible = writeln!(text, "{ip} {name}");
            text
        })
    }

    /// A node has this address. A gateway is found by its own name with a word behind it; the first one made is the
    /// one that nodes are led to until the address is.
    fn set(&mut self, part: Part, ip: Ipv4Addr) {
        let name = part.to_string();
        if matches!(part, Part::Gateway(_)) {
            self.0.entry(GATEWAY.to_owned()).or_insert(ip);
            self.0.insert(format!("{name}.own"), ip);
        } else {
            self.0.insert(name, ip);
        }
    }
}

impl Task<'_> {
    /// The site's own segment in the bucket.
    pub(super) async fn segment(&self) -> Result<String, BackendError> {
        let salt = SecretRef { site: self.step.site, name: SecretName::Salt, version: 1 };
        let salt = self.inner.secrets.get(&salt).await;
        Ok(key::segment(
            self.step.site,
            &salt.map_err(|error| no_secret("the site's place in the bucket", error))?,
        ))
    }

    /// Tells the site's nodes where this one is.
    pub(super) async fn announce(&self, segment: &str, ip: Ipv4Addr) -> Result<(), BackendError> {
        self.change_hosts(segment, |hosts| hosts.set(self.step.part, ip)).await
    }

    /// Leads the site's nodes to this gateway.
    pub(super) async fn lead_nodes(&self, ip: Ipv4Addr) -> Result<(), BackendError> {
        let segment = self.segment().await?;
        let lead = |hosts: &mut Hosts| {
            hosts.0.insert(GATEWAY.to_owned(), ip);
        };
        self.change_hosts(&segment, lead).await
    }

    /// Changes it unless somebody else does meanwhile: then the step is taken again.
    async fn change_hosts(&self, segment: &str, change: impl FnOnce(&mut Hosts)) -> Result<(), BackendError> {
        let failed = |error: CloudError| self.failed("telling other nodes of", error);
        let (bucket, key) = (&self.inner.cloud.bucket, self.inner.keys.hosts(segment));
        let _turn = self.inner.turn(self.step.site).await;
        let there = bucket.get(&key).await.map_err(failed)?;
        let text = there.as_ref().map(|blob| String::from_utf8_lossy(&blob.content).into_owned());
        let text = text.unwrap_or_default();
        let mut hosts = Hosts::read(&text);
        change(&mut hosts);
        let new = hosts.write();
        if new == text {
            return Ok(());
        }
        let when = there.as_ref().map_or(When::Absent, |blob| When::Is(&blob.etag));
        match bucket.put(&key, new.into_bytes(), when).await {
            Err(error) if error.is("PreconditionFailed") || error.is("ConditionalRequestConflict") => {
                Err(conflict("another node of the site was made at the same time"))
            }
            put => put.map(drop).map_err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_find_each_other_and_the_gateway_in_charge() {
        let ip = |n| Ipv4Addr::new(10, 0, 0, n);
        let mut hosts = Hosts::default();
        hosts.set(Part::Database(0), ip(1));
        hosts.set(Part::Gateway(1), ip(2));
        hosts.set(Part::Gateway(0), ip(3));
        let text =
            "10.0.0.1 database-0\n10.0.0.2 gateway-0\n10.0.0.3 gateway-0.own\n10.0.0.2 gateway-1.own\n";
        assert_eq!(hosts.write(), text);
        assert_eq!(Hosts::read(text), hosts);
    }
}
