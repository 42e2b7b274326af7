//! Looks at the sites' claims on domains when they are due, or when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use wpaas_core::claim::Tenure;
use wpaas_core::service::{ClaimsToLookAt, Contest, DomainEvidence, Service, ServiceError};
use wpaas_core::site::DomainWants;

use crate::config::DomainSettings;
use crate::problem::chain;

mod resolver;

use resolver::Resolver;
pub use resolver::ResolverError;

/// How often claims that are due are asked for.
const PACE: Duration = Duration::from_secs(2);
/// Sites in one piece.
const PIECE: usize = 50;
/// Sites looked at at a time.
const SITES_AT_ONCE: usize = 16;
/// Names of one site asked for at a time.
const AT_ONCE: usize = 16;

/// What looks at claims. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Domains {
    service: Service,
    /// `None` where no proof is asked for.
    resolver: Option<Arc<Resolver>>,
}

impl Domains {
    /// As configured.
    ///
    /// # Errors
    ///
    /// When there is no resolver to ask.
    pub fn new(settings: &DomainSettings, service: Service) -> Result<Self, ResolverError> {
        let resolver = settings.verify.then(|| Resolver::new(&settings.resolvers)).transpose()?;
        Ok(Self { service, resolver: resolver.map(Arc::new) })
    }

    /// Works until `stop` completes; of several servers one does.
    pub async fn run(self, tenure: Tenure, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut clock = tokio::time::interval(PACE);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = clock.tick() => {}
            }
            if !tenure.leads() {
                continue;
            }
            tokio::select! {
                () = &mut stop => return,
                done = self.round() => if let Err(error) = done {
                    tracing::error!(error = chain(&error), "claims on domains can't be looked at now");
                }
            }
        }
    }

    async fn round(&self) -> Result<(), ServiceError> {
        let mut after = None;
        loop {
            let due = self.service.claims_due(after, PIECE, Timestamp::now()).await?;
            after = due.last().map(|claims| claims.site);
            let is_last = due.len() < PIECE;
            // What can't be looked at now holds up nobody else: its time comes again.
            let look = |claims: ClaimsToLookAt| async {
                let site = claims.site;
                if let Err(error) = self.check(claims).await {
                    tracing::error!(error = chain(&error), %site, "a site's claims can't be looked at now");
                }
            };
            stream::iter(due).for_each_concurrent(SITES_AT_ONCE, look).await;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Looks at these claims now, and keeps what is found. Who has one of the domains already is looked at, too: when
    /// its proof is gone, it loses it.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn check(&self, claims: ClaimsToLookAt) -> Result<(), ServiceError> {
        let found = self.evidence(claims.wants).await;
        let contests = self.service.record_evidence(claims.site, &found, false, Timestamp::now()).await?;
        if contests.is_empty() {
            return Ok(());
        }
        for Contest { holder, wants } in contests {
            let theirs = self.evidence(vec![wants]).await;
            self.service.record_evidence(holder, &theirs, true, Timestamp::now()).await?;
        }
        self.service.record_evidence(claims.site, &found, false, Timestamp::now()).await.map(drop)
    }

    async fn evidence(&self, wants: Vec<DomainWants>) -> Vec<(DomainWants, DomainEvidence)> {
        let look = async |wants: DomainWants| {
            let evidence = match &self.resolver {
                Some(resolver) => DomainEvidence::Look(resolver.look(&wants).await),
                None => DomainEvidence::Trusted,
            };
            (wants, evidence)
        };
        stream::iter(wants).map(look).buffered(AT_ONCE).collect().await
    }
}

#[cfg(test)]
mod tests;
