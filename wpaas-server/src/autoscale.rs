//! Gives sites instances for their load: hears what gateways count, and decides every second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use wpaas_core::claim::Tenure;
use wpaas_core::converge::Part;
use wpaas_core::id::SiteId;
use wpaas_core::service::{Service, ServiceError};
use wpaas_core::site::{Load, LoadHistory, Pace, Scaling, Site};

use crate::problem::chain;

/// How often is decided.
const ROUND: Duration = Duration::from_secs(1);
/// Sites in one piece.
const PIECE: usize = 500;
/// A site of which nothing was heard for so long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_mins(10);

/// What was heard of all sites; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Loads(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    pace: Pace,
    sites: HashMap<SiteId, (Timestamp, LoadHistory)>,
}

impl Loads {
    /// Deciding at this pace.
    pub fn new(pace: Pace) -> Self {
        Self(Arc::new(Mutex::new(Heard { pace, sites: HashMap::new() })))
    }

    /// What this part of the site has counted; nothing unless it is a gateway.
    pub fn saw(&self, site: SiteId, part: Part, load: Option<Load>, now: Timestamp) {
        let (Part::Gateway(gateway), Some(load)) = (part, load) else { return };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = heard.pace;
        let (last, history) = heard.sites.entry(site).or_default();
        *last = now;
        history.saw(gateway, now, load, &pace);
    }

    /// How many instances a site is to have; `None` while its load is not known, or it is not scaled on it.
    pub fn decide(&self, site: &Site, now: Timestamp) -> Option<Scaling> {
        let bounds = site.spec.features.autoscale.filter(|_| site.is_scaling())?;
        let since = site.scaled.as_ref().map_or(site.created_at, |scaled| scaled.since);
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, history) = heard.sites.get(&site.id)?;
        bounds.decide((site.instances(), since), history, &heard.pace, now)
    }

    fn forget(&self, now: Timestamp) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.sites.retain(|_, (last, _)| now.duration_since(*last) < FORGET);
    }

    /// Works until `stop` completes; of several servers one does. Each hears all reports, so that any can.
    pub async fn run(self, service: Service, tenure: Tenure, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut clock = tokio::time::interval(ROUND);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = clock.tick() => {}
            }
            self.forget(Timestamp::now());
            if !tenure.leads() {
                continue;
            }
            if let Err(error) = self.round(&service).await {
                tracing::error!(error = chain(&error), "sites can't be scaled on their load now");
            }
        }
    }

    async fn round(&self, service: &Service) -> Result<(), ServiceError> {
        let mut after = None;
        loop {
            let sites = service.sites_scaling(after, PIECE).await?;
            after = sites.last().map(|site| site.id);
            let is_last = sites.len() < PIECE;
            for site in sites {
                let now = Timestamp::now();
                if let Some(scaling) = self.decide(&site, now) {
                    service.scale(&site, &scaling, now).await?;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
