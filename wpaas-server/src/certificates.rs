//! Has certificates issued for the names of sites, and renewed, in the background. What is due is decided in
//! [`wpaas_core::site::plan_certificates`]; whether and why one could not be had is kept with its sites.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use wpaas_core::claim::Tenure;
use wpaas_core::converge::Intents as _;
use wpaas_core::id::SiteId;
use wpaas_core::service::{AcmeKey, CertificateRefusal, NewCertificate, Service, ServiceError};
use wpaas_core::site::{
    CertificateBudget, CertificateName, CertificateNeed, CertificateStep, plan_certificates,
};

use crate::config::AcmeSettings;
use crate::problem::chain;

mod authority;
mod http;
mod texts;

pub use authority::AuthorityError;
use authority::{Account, Authority, Trouble};
pub use texts::{NoTexts, TextRecords, Texts, ZoneTexts};

/// How often it is seen what is due.
const PACE: Duration = Duration::from_secs(2);
/// All sites are read again this often, should a hint be lost.
const SWEEP: Duration = Duration::from_secs(60);
/// Of sites whose gateways can't answer yet, so many are read again each time: no hint tells that they can.
const SOME: usize = 50;
/// A server that does not lead sees this often whether another key is used.
const FOLLOW: Duration = Duration::from_secs(30);
/// Certificates asked for at a time.
const AT_ONCE: usize = 8;
/// How often an order is begun anew because the authority takes none of our nonces.
const TRIES: usize = 3;
/// An account is given up at most this often: an authority that refuses each would be asked for no end of them.
const NEW_KEY_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What sees to the certificates of all sites.
#[derive(Debug)]
pub struct Certificates {
    service: Service,
    authority: Authority,
    budget: CertificateBudget,
    texts: Arc<dyn Texts>,
    key: AcmeKey,
    /// When the key was last given up.
    renewed_key_at: Option<Timestamp>,
    /// With the key of this version.
    account: Option<(u64, Account)>,
    needs: BTreeMap<SiteId, Vec<CertificateNeed>>,
    /// Of the sites whose gateways can't answer yet, the last that was read again in this turn.
    looked_at_last: Option<SiteId>,
}

impl Certificates {
    /// As configured; `texts` is where the platform's zone is. The key of the account is made where there is none.
    ///
    /// # Errors
    ///
    /// When the authority can't be asked, or the store not be read.
    pub async fn new(
        settings: &AcmeSettings,
        service: Service,
        texts: Arc<dyn Texts>,
    ) -> Result<Self, AuthorityError> {
        let authority = Authority::new(settings)?;
        let key = match service.acme_key(&settings.directory).await? {
            Some(key) => key,
            None => service.keep_acme_key(&settings.directory, authority::new_key(1)?).await?,
        };
        service.answer_challenges_with(&authority::thumbprint(&key)?);
        Ok(Self {
            service,
            authority,
            budget: CertificateBudget { per_domain: settings.per_domain },
            texts,
            key,
            renewed_key_at: None,
            account: None,
            needs: BTreeMap::new(),
            looked_at_last: None,
        })
    }

    /// What a gateway answers an authority with, after the token and a dot.
    ///
    /// # Errors
    ///
    /// When what is kept is no key.
    pub fn thumbprint(&self) -> Result<String, AuthorityError> {
        authority::thumbprint(&self.key)
    }

    fn tell_gateways(&self) {
        match self.thumbprint() {
            Ok(thumbprint) => self.service.answer_challenges_with(&thumbprint),
            Err(error) => tracing::error!(error = chain(&error), "gateways can't answer the authority"),
        }
    }

    /// The key may be another since, by another server.
    async fn follow_key(&mut self) -> Result<(), ServiceError> {
        let Some(key) = self.service.acme_key(self.authority.directory()).await? else { return Ok(()) };
        if key.version != self.key.version {
            self.key = key;
            self.tell_gateways();
        }
        Ok(())
    }

    /// Works until `stop` completes; of several servers one does.
    pub async fn run(mut self, tenure: Tenure, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut changes = self.service.intents().changes();
        let mut clock = tokio::time::interval(PACE);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut sweep, mut followed) = (Instant::now(), Instant::now());
        loop {
            let due = tokio::select! {
                () = &mut stop => return,
                Some(site) = changes.next() => {
                    if let Err(error) = self.learn(site).await {
                        unreadable(&error);
                    }
                    continue;
                }
                _ = clock.tick() => tenure.leads(),
            };
            if !due {
                // Whoever leads may have done much meanwhile.
                sweep = Instant::now();
                if followed.elapsed() >= FOLLOW {
                    followed = Instant::now();
                    if let Err(error) = self.follow_key().await {
                        unreadable(&error);
                    }
                }
                continue;
            }
            let round = async {
                if sweep <= Instant::now() {
                    self.follow_key().await?;
                    self.sweep().await?;
                    sweep = Instant::now() + SWEEP;
                }
                self.look_again().await?;
                self.work(Timestamp::now()).await
            };
            let done = tokio::select! {
                () = &mut stop => return,
                done = round => done,
            };
            if let Err(error) = done {
                unreadable(&error);
            }
        }
    }

    /// Reads what all sites want.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn sweep(&mut self) -> Result<(), ServiceError> {
        self.needs.clear();
        for need in self.service.certificate_needs().await? {
            self.needs.entry(need.site).or_default().push(need);
        }
        Ok(())
    }

    async fn learn(&mut self, site: SiteId) -> Result<(), ServiceError> {
        let needs = self.service.certificate_needs_of(site).await?;
        if needs.is_empty() {
            self.needs.remove(&site);
        } else {
            self.needs.insert(site, needs);
        }
        Ok(())
    }

    /// Reads some of the sites again whose gateways could not answer an authority.
    async fn look_again(&mut self) -> Result<(), ServiceError> {
        let waits = |needs: &Vec<CertificateNeed>| needs.iter().any(|need| !need.provable);
        let after = std::mem::take(&mut self.looked_at_last);
        let waiting =
            self.needs.iter().filter(|(site, needs)| after.is_none_or(|last| **site > last) && waits(needs));
        let some: Vec<SiteId> = waiting.map(|(site, _)| *site).take(SOME).collect();
        self.looked_at_last = some.last().copied().filter(|_| some.len() == SOME);
        self.learn_all(&some).await
    }

    /// Does what is due at this time, and returns how many certificates were asked for.
    ///
    /// # Errors
    ///
    /// When the store can't be used; what an authority refuses is kept with the sites.
    pub async fn work(&mut self, now: Timestamp) -> Result<usize, ServiceError> {
        let mut orders = Vec::new();
        for step in self.plan(now).await? {
            match step {
                CertificateStep::Issue(name, sites) => orders.push((name, sites)),
                CertificateStep::Share { name, from, to } => {
                    self.service.share_certificate(&name, from, &to, now).await?;
                    self.learn_all(&to).await?;
                }
            }
        }
        if orders.is_empty() {
            return Ok(0);
        }
        let asked = orders.len();
        match self.account().await {
            Ok(account) => self.issue_all(&account, orders, now).await?,
            Err(Trouble::AccountGone(words)) => self.give_key_up(orders, words, now).await?,
            Err(trouble) => self.refuse(orders, &trouble.refusal(), now).await?,
        }
        Ok(asked)
    }

    /// What was issued is only read where something is to be: each time that would be much for nothing.
    async fn plan(&self, now: Timestamp) -> Result<Vec<CertificateStep>, ServiceError> {
        let plan = |issued| plan_certificates(self.needs.values().flatten(), &issued, self.budget, now);
        let unbounded = plan(BTreeMap::new());
        if !unbounded.iter().any(|step| matches!(step, CertificateStep::Issue(..))) {
            return Ok(unbounded);
        }
        Ok(plan(self.service.certificates_issued(now).await?))
    }

    async fn account(&mut self) -> Result<Account, Trouble> {
        if let Some((version, account)) = &self.account
            && *version == self.key.version
        {
            return Ok(account.clone());
        }
        let account = self.authority.account(&self.key).await?;
        self.account = Some((self.key.version, account.clone()));
        Ok(account)
    }

    async fn issue_all(
        &mut self,
        account: &Account,
        orders: Vec<(CertificateName, Vec<SiteId>)>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let (authority, texts) = (&self.authority, &*self.texts);
        let issue = async |(name, sites): (CertificateName, Vec<SiteId>)| {
            let issued = issue(authority, account, &name, texts).await;
            (name, sites, issued)
        };
        let mut results = stream::iter(orders).map(issue).buffer_unordered(AT_ONCE).boxed();
        let (mut done, mut gone) = (Vec::new(), Vec::new());
        while let Some((name, sites, issued)) = results.next().await {
            match issued {
                Ok(new) => {
                    tracing::info!(%name, not_after = %new.not_after, "a certificate was issued");
                    self.service.give_certificate(&name, &sites, &new, now).await?;
                    done.extend(sites);
                }
                Err(Trouble::AccountGone(words)) => gone.push((name, sites, words)),
                Err(trouble) => {
                    let refusal = trouble.refusal();
                    tracing::warn!(%name, error = refusal.error, "a certificate was refused");
                    self.service.refuse_certificate(&name, &sites, &refusal, now).await?;
                    done.extend(sites);
                }
            }
        }
        drop(results);
        self.learn_all(&done).await?;
        let Some((_, _, words)) = gone.first().cloned() else { return Ok(()) };
        self.give_key_up(gone.into_iter().map(|(name, sites, _)| (name, sites)).collect(), words, now).await
    }

    /// The authority does not know the account, or no more: another key is another account. What was asked for is asked
    /// for again with that.
    async fn give_key_up(
        &mut self,
        orders: Vec<(CertificateName, Vec<SiteId>)>,
        words: String,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.account = None;
        let again_at = self.renewed_key_at.and_then(|at| at.checked_add(NEW_KEY_AFTER).ok());
        if again_at.is_some_and(|again_at| now < again_at) {
            return self.refuse(orders, &CertificateRefusal { error: words, retry_after: None }, now).await;
        }
        let new = match self.authority.another(self.key.version + 1).await {
            Ok(new) => new,
            Err(trouble) => return self.refuse(orders, &trouble.refusal(), now).await,
        };
        tracing::warn!(
            error = words,
            "the authority knows no account of ours by the key that there was: another takes its place"
        );
        self.key = self.service.keep_acme_key(self.authority.directory(), new).await?;
        self.renewed_key_at = Some(now);
        self.tell_gateways();
        // What gateways prove waits until they say that they answer with the new key.
        self.sweep().await
    }

    async fn refuse(
        &mut self,
        orders: Vec<(CertificateName, Vec<SiteId>)>,
        refusal: &CertificateRefusal,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        tracing::warn!(error = refusal.error, certificates = orders.len(), "no certificate can be asked for");
        for (name, sites) in orders {
            self.service.refuse_certificate(&name, &sites, refusal, now).await?;
            self.learn_all(&sites).await?;
        }
        Ok(())
    }

    async fn learn_all(&mut self, sites: &[SiteId]) -> Result<(), ServiceError> {
        for site in sites {
            self.learn(*site).await?;
        }
        Ok(())
    }
}

/// Asks for a certificate; begun anew while the authority takes none of our nonces, which is nobody's fault.
async fn issue(
    authority: &Authority,
    account: &Account,
    name: &CertificateName,
    texts: &dyn Texts,
) -> Result<NewCertificate, Trouble> {
    let mut last = Trouble::refused("the authority was not asked");
    for _ in 0..TRIES {
        match authority.issue(account, name, texts).await {
            Err(trouble @ Trouble::BadNonce(_)) => last = trouble,
            done => return done,
        }
    }
    Err(last)
}

fn unreadable(error: &ServiceError) {
    tracing::error!(error = chain(error), "certificates can't be seen to now");
}
