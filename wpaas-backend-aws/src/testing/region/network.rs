//! Security groups and addresses.

use std::net::Ipv4Addr;

use tokio::time::Instant;

use super::{Kept, Region, not_found};
use crate::cloud::{Address, CloudError, Filter, Group, InstanceState, NewGroup, Page, Peer, Rule, Tags};

impl Region {
    pub(crate) fn create_group(&mut self, new: &NewGroup, now: Instant) -> Result<String, CloudError> {
        let living = || self.groups.iter().filter(|(_, kept)| kept.lives());
        if living().any(|(_, kept)| kept.it.name == new.name) {
            let message = format!("The security group '{}' already exists", new.name);
            return Err(CloudError::new("InvalidGroup.Duplicate", message));
        }
        if living().count() >= self.quotas.groups {
            return Err(CloudError::new(
                "SecurityGroupLimitExceeded",
                "The maximum number of groups has been reached",
            ));
        }
        let id = self.id("sg");
        let it = Group { id: id.clone(), name: new.name.clone(), rules: Vec::new(), tags: new.tags.clone() };
        self.groups.put(id.clone(), &new.tags, Kept { it, from: now, to: None });
        Ok(id)
    }

    pub(crate) fn groups(&self, filter: &Filter, next: Option<&str>, now: Instant) -> Page<Group> {
        let at = self.seen_at(now);
        self.groups.page(filter, next, self.page, |_, kept| kept.seen(at).cloned())
    }

    pub(crate) fn allow(&mut self, id: &str, rules: &[Rule], now: Instant) -> Result<(), CloudError> {
        let at = self.seen_at(now);
        for rule in rules {
            if let Peer::Group(peer) = &rule.from {
                self.groups
                    .get(peer)
                    .filter(|kept| kept.is_found(at))
                    .ok_or_else(|| not_found("InvalidGroup", peer))?;
            }
        }
        let kept = self.groups.get_mut(id).filter(|kept| kept.is_found(at));
        let kept = kept.ok_or_else(|| not_found("InvalidGroup", id))?;
        if rules.iter().any(|rule| kept.it.rules.contains(rule)) {
            return Err(CloudError::new("InvalidPermission.Duplicate", "the specified rule already exists"));
        }
        kept.it.rules.extend_from_slice(rules);
        Ok(())
    }

    pub(crate) fn delete_group(&mut self, id: &str, now: Instant) -> Result<(), CloudError> {
        let used = self.instances.iter().any(|(instance, machine)| {
            machine.launch.groups.iter().any(|group| group == id) && !self.has_let_go(instance, now)
        });
        let names = |kept: &Kept<Group>| {
            kept.it.id != id && kept.it.rules.iter().any(|rule| rule.from == Peer::Group(id.to_owned()))
        };
        if used || self.groups.iter().any(|(_, kept)| kept.lives() && names(kept)) {
            return Err(CloudError::new(
                "DependencyViolation",
                format!("resource {id} has a dependent object"),
            ));
        }
        let at = self.seen_at(now);
        let kept = self.groups.get_mut(id).filter(|kept| kept.is_found(at));
        kept.ok_or_else(|| not_found("InvalidGroup", id))?.to = Some(now);
        Ok(())
    }

    pub(crate) fn allocate(&mut self, tags: &Tags, now: Instant) -> Result<Address, CloudError> {
        if self.addresses.iter().filter(|(_, kept)| kept.lives()).count() >= self.quotas.addresses {
            let message = "The maximum number of addresses has been reached.";
            return Err(CloudError::new("AddressLimitExceeded", message));
        }
        let allocation = self.id("eipalloc");
        let [_, a, b, c] = self.made.to_be_bytes();
        let ip = Ipv4Addr::new(203, a, b, c);
        let it = Address { allocation: allocation.clone(), ip, instance: None, tags: tags.clone() };
        self.addresses.put(allocation, tags, Kept { it: it.clone(), from: now, to: None });
        Ok(it)
    }

    pub(crate) fn addresses(&self, filter: &Filter, now: Instant) -> Page<Address> {
        let at = self.seen_at(now);
        self.addresses.page(filter, None, usize::MAX, |_, kept| kept.seen(at).cloned())
    }

    fn address(&mut self, id: &str, now: Instant) -> Result<&mut Kept<Address>, CloudError> {
        let at = self.seen_at(now);
        let kept = self.addresses.get_mut(id).filter(|kept| kept.is_found(at));
        kept.ok_or_else(|| not_found("InvalidAllocationID", id))
    }

    pub(crate) fn associate(
        &mut self,
        allocation: &str,
        instance: &str,
        now: Instant,
    ) -> Result<(), CloudError> {
        let state = self.machine(instance, now)?.state(now);
        if !matches!(state, InstanceState::Running | InstanceState::Stopped) {
            let message =
                format!("The {state:?} instance '{instance}' is not in a valid state for this operation.");
            return Err(CloudError::new("InvalidInstanceID", message));
        }
        self.address(allocation, now)?.it.instance = Some(instance.to_owned());
        Ok(())
    }

    pub(crate) fn release(&mut self, allocation: &str, now: Instant) -> Result<(), CloudError> {
        let kept = self.address(allocation, now)?;
        if kept.it.instance.is_some() {
            return Err(CloudError::new(
                "InvalidIPAddress.InUse",
                format!("Address {allocation} is in use."),
            ));
        }
        kept.to = Some(now);
        Ok(())
    }

    pub(in crate::testing) fn leads_to(&self, site: &str) -> Option<String> {
        let ours =
            |kept: &Kept<Address>| kept.lives() && kept.it.tags.get("wpaas:site").is_some_and(|s| s == site);
        self.addresses.iter().find(|(_, kept)| ours(kept)).and_then(|(_, kept)| kept.it.instance.clone())
    }
}
