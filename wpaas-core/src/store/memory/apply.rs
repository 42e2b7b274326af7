use jiff::Timestamp;

use super::State;
use crate::account::{ApiKey, Identity, KeyKind};
use crate::id::{KeyId, SiteId};
use crate::lockout::{Failures, NameDigest, forgotten};
use crate::secret::SecretName;
use crate::site::{CertificateBudget, DOMAIN_REMEMBERED, SpareState, Tombstone};
use crate::store::{
    Change, Committed, Event, NewEvent, PastHolder, SealedSecret, StoredWebhook, Violation, Write,
};

impl State {
    pub(super) fn apply(&mut self, change: Change) -> Result<Committed, Violation> {
        let mut committed = Committed::default();
        for expect in &change.expect {
            self.check(expect, change.at)?;
        }
        for write in change.writes {
            for expect in write.implied() {
                self.check(&expect, change.at)?;
            }
            committed.sites.extend(write.changed_site());
            committed.customers.extend(write.changed_customer().cloned());
            self.write(write, change.at);
        }
        for event in change.events {
            committed.events.push(self.event(change.at, event));
        }
        Ok(committed)
    }

    fn count_wrong_password(&mut self, name: NameDigest, at: Timestamp) {
        let failures = Failures::and_one(self.wrong_passwords.get(&name).copied(), at);
        self.wrong_passwords.insert(name, failures);
        self.wrong_passwords.retain(|_, failures| failures.last > forgotten(at));
    }

    fn event(&mut self, at: Timestamp, event: NewEvent) -> Event {
        let seq = self.events.last().map_or(0, |event| event.seq) + 1;
        let event = Event { seq, at, event };
        self.events.push(event.clone());
        event
    }

    #[expect(clippy::too_many_lines, reason = "one line or two for each write there is")]
    fn write(&mut self, write: Write, at: Timestamp) {
        match write {
            Write::InsertCustomer(customer) | Write::UpdateCustomer(customer) => {
                self.customers.insert(customer.cid.clone(), customer);
            }
            Write::InsertOrg(org) | Write::UpdateOrg(org) => {
                self.orgs.insert(org.id, org);
            }
            Write::DeleteOrg(id, _) => {
                self.orgs.remove(&id);
            }
            Write::InsertSpace(space) | Write::UpdateSpace(space) => {
                self.spaces.insert(space.id, space);
            }
            Write::DeleteSpace(id, _) => {
                self.spaces.remove(&id);
            }
            Write::InsertUser(user) | Write::UpdateUser(user) => {
                self.users.insert(user.id, user);
            }
            Write::DeleteUser(id, _) => {
                if let Some(user) = self.users.remove(&id) {
                    self.forget(&Identity::User(user.cid, id));
                }
            }
            Write::SetPassword(identity, hash) => {
                self.passwords.insert(identity, hash);
            }
            Write::CountWrongPassword(name, at) => self.count_wrong_password(name, at),
            Write::ForgetWrongPasswords(name) => drop(self.wrong_passwords.remove(&name)),
            Write::DeleteCredentials(identity) => self.forget(&identity),
            Write::InsertExternalLogin(login) => {
                self.external_logins.insert((login.issuer.clone(), login.subject.clone()), login);
            }
            Write::DeleteExternalLogin(identity, issuer, subject) => {
                self.unlink(&identity, &(issuer, subject));
            }
            Write::InsertPendingLogin(login) => {
                self.pending_logins.insert(login.state, login);
            }
            Write::TakePendingLogin(state) => {
                self.pending_logins.remove(&state);
            }
            Write::ExpirePendingLogins(before) => {
                self.pending_logins.retain(|_, login| login.expires_at >= before);
            }
            Write::DeleteKey(id) => {
                self.keys.remove(&id);
            }
            Write::DeleteSessions(identity) => {
                self.keys.retain(|_, key| key.identity != identity || key.kind != KeyKind::Session);
            }
            Write::InsertKey(key) => {
                self.keys.insert(key.id, key);
            }
            Write::UpdateKey(key) => self.update_key(key),
            Write::TouchKey(id, at) => self.touch(id, at),
            Write::InsertSite(site, usage) | Write::UpdateSite(site, usage) => {
                self.remember_domains(site.id, at);
                self.sites.insert(site.id, (site, usage));
            }
            Write::PurgeSite(stone, _) => {
                self.remember_domains(stone.id, at);
                self.past_domains.retain(|_, past| past.until >= at - DOMAIN_REMEMBERED);
                self.purge(stone);
            }
            Write::InsertSpare(spare, password) => self.insert_spare(spare, password),
            Write::TakeSpare(id) => self.take_spare(id, at),
            Write::EndSpare(id) => self.mark_spare(id, SpareState::Gone, at),
            Write::RecordStatus(site, status) => {
                if self.sites.contains_key(&site) {
                    self.statuses.insert(site, *status);
                }
            }
            Write::Meter(look, sizes) => self.meter(&look, sizes),
            Write::InsertSecret(secret) => {
                self.secrets.entry((secret.site, secret.name, secret.version)).or_insert(secret);
            }
            Write::DeleteSecret(site, name, version) => {
                self.secrets.remove(&(site, name, version));
            }
            Write::HashPassword(hash) => self.hash(hash),
            Write::InsertWebhook(webhook, delivery) => {
                self.webhooks.insert(webhook.id, StoredWebhook { webhook, delivery });
            }
            Write::UpdateWebhook(webhook) => {
                if let Some(stored) = self.webhooks.get_mut(&webhook.id) {
                    stored.webhook = webhook;
                }
            }
            Write::DeleteWebhook(id, _) => {
                self.webhooks.remove(&id);
            }
            Write::UpdateDelivery(delivery) => {
                if let Some(stored) = self.webhooks.get_mut(&delivery.webhook) {
                    stored.delivery = delivery;
                }
            }
            Write::InsertAcmeAccount(account) | Write::UpdateAcmeAccount(account) => {
                self.acme_accounts.insert(account.directory.clone(), account);
            }
            Write::CountIssuance(name, at) => {
                self.issuances.insert((name, at));
                self.issuances.retain(|(_, issued_at)| *issued_at > CertificateBudget::counts_after(at));
            }
            Write::PutIdempotent(kept) => {
                self.idempotent.insert((kept.principal.clone(), kept.key.clone()), kept);
            }
            Write::ExpireIdempotent(before) => self.idempotent.retain(|_, kept| kept.begun_at >= before),
        }
    }

    fn remember_domains(&mut self, site: SiteId, at: Timestamp) {
        let Some((site, _)) = self.sites.get(&site) else { return };
        for domain in site.domains.held() {
            self.past_domains.insert(domain.clone(), PastHolder { cid: site.cid.clone(), until: at });
        }
    }

    fn update_key(&mut self, mut key: ApiKey) {
        key.last_used_at = self.keys.get(&key.id).and_then(|before| before.last_used_at);
        self.keys.insert(key.id, key);
    }

    fn touch(&mut self, id: KeyId, at: Timestamp) {
        if let Some(key) = self.keys.get_mut(&id) {
            key.last_used_at = key.last_used_at.max(Some(at));
        }
    }

    fn hash(&mut self, hash: SealedSecret) {
        let password = (hash.site, SecretName::AdminPassword, hash.version);
        if self.secrets.remove(&password).is_some() {
            self.secrets.entry((hash.site, hash.name, hash.version)).or_insert(hash);
        }
    }

    fn unlink(&mut self, identity: &Identity, account: &(String, String)) {
        if self.external_logins.get(account).is_some_and(|login| login.identity == *identity) {
            self.external_logins.remove(account);
        }
    }

    fn forget(&mut self, identity: &Identity) {
        self.passwords.remove(identity);
        self.keys.retain(|_, key| key.identity != *identity);
        self.external_logins.retain(|_, login| login.identity != *identity);
    }

    fn purge(&mut self, stone: Tombstone) {
        self.sites.remove(&stone.id);
        self.statuses.remove(&stone.id);
        self.spares.remove(&stone.id);
        self.secrets.retain(|(site, ..), _| *site != stone.id);
        self.tombstones.insert(stone.id, stone);
    }
}
