use jiff::Timestamp;

use super::{State, is_kept, same_login};
use crate::account::{Customer, Lifecycle, Org, User, Version};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::name::{Cid, Hostname, Slug, Username};
use crate::quota::{Quota, Usage};
use crate::site::{Site, SpareState};
use crate::store::{Expect, Record, Violation};

impl State {
    pub(super) fn customer_of_login(&self, username: &Username) -> Option<&Customer> {
        let is = |customer: &&Customer| {
            customer.lifecycle != Lifecycle::Purged && same_login(&customer.username, username)
        };
        self.customers.values().find(is)
    }

    pub(super) fn user_of_login(&self, cid: &Cid, username: &Username) -> Option<&User> {
        self.users.values().find(|user| user.cid == *cid && same_login(&user.username, username))
    }

    pub(super) fn site_of_name(&self, org: OrgId, name: &Slug) -> Option<&Site> {
        self.sites.values().map(|(site, _)| site).find(|site| site.org == org && site.name == *name)
    }

    pub(super) fn site_of_domain(&self, domain: &Hostname) -> Option<&Site> {
        self.sites.values().map(|(site, _)| site).find(|site| site.domains.holds(domain))
    }

    pub(super) fn check(&self, expect: &Expect, at: Timestamp) -> Result<(), Violation> {
        let taken = |is: bool| if is { Err(Violation::Taken(Box::new(expect.clone()))) } else { Ok(()) };
        match expect {
            Expect::CustomerActive(cid) => self.lifecycle(cid, |found| found == Lifecycle::Active),
            Expect::CustomerPresent(cid) => {
                self.lifecycle(cid, |found| matches!(found, Lifecycle::Active | Lifecycle::Suspended))
            }
            Expect::Version(record, version) => match self.version(record) {
                Some(found) if found == *version => Ok(()),
                found => Err(Violation::Version { record: record.clone(), found }),
            },
            Expect::Present(record) if self.version(record).is_some() => Ok(()),
            Expect::Present(record) => Err(Violation::Absent(record.clone())),
            Expect::Absent(record) if self.version(record).is_none() && !self.is_purged(record) => Ok(()),
            Expect::Absent(record) => Err(Violation::Present(record.clone())),
            Expect::CidUnused(cid) if self.customers.contains_key(cid) => {
                Err(Violation::CidUsed(cid.clone()))
            }
            Expect::CidUnused(_) => Ok(()),
            Expect::ExternalLoginFree(issuer, subject) => {
                taken(self.external_logins.contains_key(&(issuer.clone(), subject.clone())))
            }
            Expect::LoginPending(state) if self.pending_logins.contains_key(state) => Ok(()),
            Expect::LoginPending(_) => Err(Violation::LoginNotPending),
            Expect::LoginFree(username) => taken(self.customer_of_login(username).is_some()),
            Expect::OrgNameFree(cid, name) => {
                taken(self.orgs.values().any(|org| org.cid == *cid && org.name == *name))
            }
            Expect::SpaceNameFree(org, name) => {
                taken(self.spaces.values().any(|space| space.org == *org && space.name == *name))
            }
            Expect::SiteNameFree(org, name) => taken(self.site_of_name(*org, name).is_some()),
            Expect::DomainsFree(site, domains) => {
                let others = |domain| self.site_of_domain(domain).is_some_and(|other| other.id != *site);
                taken(domains.iter().any(others))
            }
            Expect::UsernameFree(cid, username) => taken(self.user_of_login(cid, username).is_some()),
            Expect::OrgEmpty(org) => {
                let spaces = self.spaces.values().filter(|space| space.org == *org).count();
                self.empty(spaces, |site| site.org == *org && is_kept(site, at))
            }
            Expect::SpaceEmpty(space) => self.empty(0, |site| site.space == *space && is_kept(site, at)),
            Expect::QuotaAllows { org, space, site, usage } => self.quota(*org, *space, *site, *usage),
            Expect::QuotaFitsOrg(org, quota) => {
                fits(self.orgs.get(org).is_none_or(|org| quota.fits_in(&org.quota)))
            }
            Expect::QuotaCoversSpaces(org, quota) => {
                let mut spaces = self.spaces.values().filter(|space| space.org == *org);
                fits(spaces.all(|space| space.quota.fits_in(quota)))
            }
            Expect::SpareKept(id) => match self.spares.get(id) {
                Some((spare, _)) if spare.state == SpareState::Kept => Ok(()),
                _ => Err(Violation::SpareNotKept),
            },
            Expect::WebhooksBelow(most) if (self.webhooks.len() as u64) < *most => Ok(()),
            Expect::WebhooksBelow(most) => Err(Violation::WebhooksAt(*most)),
            Expect::PaymentAccount(cid, name) => match self.customers.get(cid) {
                None => Err(Violation::CustomerAbsent),
                Some(customer) if customer.payment_accounts.contains_key(name) => Ok(()),
                Some(_) => Err(Violation::PaymentAccountAbsent),
            },
            Expect::PaymentAccountUnused(cid, name) => {
                let pays_by = |org: &&Org| org.cid == *cid && org.payment_account.as_ref() == Some(name);
                let user = self.orgs.values().find(pays_by);
                user.map_or(Ok(()), |org| Err(Violation::PaymentAccountUsed(org.name.clone())))
            }
            Expect::IdempotencyUnused(principal, key, since) => {
                let kept = self.idempotent.get(&(principal.clone(), key.clone()));
                let used = kept.is_some_and(|kept| kept.begun_at >= *since);
                if used { Err(Violation::IdempotencyUsed) } else { Ok(()) }
            }
            Expect::IdempotencyHeld(principal, key, begun_at) => {
                let kept = self.idempotent.get(&(principal.clone(), key.clone()));
                let held = kept.is_some_and(|kept| kept.begun_at == *begun_at);
                if held { Ok(()) } else { Err(Violation::IdempotencyLost) }
            }
        }
    }

    fn lifecycle(&self, cid: &Cid, fit: impl Fn(Lifecycle) -> bool) -> Result<(), Violation> {
        match self.customers.get(cid) {
            None => Err(Violation::CustomerAbsent),
            Some(customer) if fit(customer.lifecycle) => Ok(()),
            Some(customer) => Err(Violation::CustomerInactive(customer.lifecycle)),
        }
    }

    fn version(&self, record: &Record) -> Option<Version> {
        match record {
            Record::Customer(cid) => self.customers.get(cid).map(|found| found.version),
            Record::Org(id) => self.orgs.get(id).map(|found| found.version),
            Record::Space(id) => self.spaces.get(id).map(|found| found.version),
            Record::User(id) => self.users.get(id).map(|found| found.version),
            Record::Key(id) => self.keys.get(id).map(|found| found.version),
            Record::Site(id) => self.sites.get(id).map(|(found, _)| found.version),
            Record::Webhook(id) => self.webhooks.get(id).map(|found| found.webhook.version),
            Record::Delivery(id) => self.webhooks.get(id).map(|found| found.delivery.version),
            Record::AcmeAccount(directory) => self.acme_accounts.get(directory).map(|found| found.version),
        }
    }

    fn is_purged(&self, record: &Record) -> bool {
        matches!(record, Record::Site(id) if self.tombstones.contains_key(id))
    }

    fn empty(&self, spaces: usize, of: impl Fn(&Site) -> bool) -> Result<(), Violation> {
        let sites = self.sites.values().filter(|(site, _)| of(site)).count();
        if spaces + sites == 0 {
            return Ok(());
        }
        Err(Violation::NotEmpty { spaces: spaces as u64, sites: sites as u64 })
    }

    fn quota(&self, org: OrgId, space: SpaceId, site: Option<SiteId>, usage: Usage) -> Result<(), Violation> {
        let now = site.and_then(|id| self.sites.get(&id)).map_or(Usage::default(), |(_, usage)| *usage);
        let of_org = self.orgs.get(&org).map_or(Quota::default(), |org| org.quota);
        let of_space = self.spaces.get(&space).map_or(Quota::default(), |space| space.quota);
        let (in_org, in_space) = (self.usage(|site| site.org == org), self.usage(|site| site.space == space));
        of_org.allows(in_org, in_org - now + usage).map_err(Violation::OrgQuota)?;
        of_space.allows(in_space, in_space - now + usage).map_err(Violation::SpaceQuota)
    }
}

fn fits(does: bool) -> Result<(), Violation> {
    if does { Ok(()) } else { Err(Violation::QuotaAboveOrg) }
}
