use wpaas_core::converge::{Applied, BackendError, ObjectId};

use super::Task;
use crate::cloud::{Group, NewGroup};
use crate::error::conflict;
use crate::limiter::Call;
use crate::listing::{Found, Listing};
use crate::objects::{self, Side};
use crate::tag::Tag;

impl Task<'_> {
    /// Makes what is missing of the pair of security groups and the address, and gives back what there is too much.
    ///
    /// A group can't be made twice, because of its name. An address can, when the answer to the first request is
    /// lost: then the next look shows two, the network counts as unfinished, and the second is given back here.
    pub(super) async fn create_network(&self) -> Result<Applied, BackendError> {
        let mut listing = self.look().await?;
        for side in Side::ALL {
            self.ensure_group(&mut listing, side).await?;
        }
        self.ensure_address(&mut listing).await?;
        objects::network(&listing, self.installation(), self.step.site)
            .map(Applied::Present)
            .ok_or_else(|| conflict("the network that was just made can't be seen"))
    }

    async fn ensure_group(&self, listing: &mut Listing, side: Side) -> Result<(), BackendError> {
        let tag = Tag::of(self.step);
        if side.of(listing, self.installation(), self.step.site).is_none() {
            let group = self.create_group(side, &tag).await?;
            listing.groups.push(Found { tag, it: group });
        }
        let installation = self.installation().to_owned();
        let name = side.name(&installation, self.step.site);
        let Some(found) = listing.groups.iter_mut().find(|found| found.it.name == name) else {
            return Err(conflict("a security group that was just made can't be seen"));
        };
        let missing = side.missing(&found.it);
        if missing.is_empty() {
            return Ok(());
        }
        let ec2 = self.ec2(Call::AuthorizeSecurityGroupIngress).await;
        match ec2.allow(&found.it.id, &missing).await {
            Err(error) if !error.is("InvalidPermission.Duplicate") => Err(self.failed("opening the", error)),
            _ => {
                found.it.rules.extend(missing);
                Ok(())
            }
        }
    }

    async fn create_group(&self, side: Side, tag: &Tag) -> Result<Group, BackendError> {
        let name = side.name(self.installation(), self.step.site);
        let new = NewGroup {
            name: name.clone(),
            description: "made by wpaas".to_owned(),
            vpc: self.inner.config.vpc.clone(),
            tags: tag.write(self.installation()),
        };
        let created = self.ec2(Call::CreateSecurityGroup).await.create_group(&new).await;
        let id = created.map_err(|error| self.failed("making the security groups of the", error))?;
        Ok(Group { id, name, rules: Vec::new(), tags: new.tags })
    }

    async fn ensure_address(&self, listing: &mut Listing) -> Result<(), BackendError> {
        if listing.addresses.is_empty() {
            let tag = Tag::of(self.step);
            let tags = tag.write(self.installation());
            let allocated = self.ec2(Call::AllocateAddress).await.allocate_address(&tags).await;
            let it = allocated.map_err(|error| self.failed("taking an address for the", error))?;
            listing.addresses.push(Found { tag, it });
        }
        // The one that leads somewhere comes first.
        while listing.addresses.len() > 1 {
            let Some(extra) = listing.addresses.pop() else { break };
            self.release_address(&extra.it.allocation).await?;
        }
        Ok(())
    }

    pub(super) async fn release_address(&self, allocation: &str) -> Result<(), BackendError> {
        match self.ec2(Call::ReleaseAddress).await.release_address(allocation).await {
            Err(error) if !error.is_not_found() => Err(self.failed("giving back an address of the", error)),
            _ => Ok(()),
        }
    }

    /// Everything of it goes; nodes that are still on their way out make AWS refuse.
    pub(super) async fn remove_network(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        let there = objects::network(&listing, self.installation(), self.step.site);
        if there.is_none_or(|there| there.id != ObjectId::new(id)) {
            return Ok(Applied::Absent);
        }
        for found in &listing.addresses {
            self.release_address(&found.it.allocation).await?;
        }
        for found in &listing.groups {
            match self.ec2(Call::DeleteSecurityGroup).await.delete_group(&found.it.id).await {
                Err(error) if !error.is_not_found() => {
                    return Err(self.failed("removing a security group of the", error));
                }
                _ => {}
            }
        }
        Ok(Applied::Absent)
    }

    /// Moves the address, and has the site's nodes find the gateway that has it.
    pub(super) async fn lead(&self, id: &str) -> Result<Applied, BackendError> {
        let mut listing = self.look().await?;
        let gateway = self.own_node(&listing, id)?.it.clone();
        let Some(address) = listing.addresses.first_mut() else {
            return Err(conflict(format!("{} has no address", self.step.site)));
        };
        let allocation = address.it.allocation.clone();
        let moved = self.ec2(Call::AssociateAddress).await.associate_address(&allocation, id).await;
        moved.map_err(|error| self.failed("leading the address to", error))?;
        address.it.instance = Some(id.to_owned());
        if let Some(ip) = gateway.private_ip {
            self.lead_nodes(ip).await?;
        }
        let network = objects::network(&listing, self.installation(), self.step.site);
        if let Some(network) = network {
            self.inner.sightings().put(self.step.site, network, tokio::time::Instant::now());
        }
        let _nobody = self.inner.hints.send(self.step.site);
        Ok(Applied::Told)
    }
}
