//! Keeps some sites ready that nobody has asked for yet: a site that is made takes one over, and has a WordPress node to
//! wait for and nothing else.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until};
use wpaas_core::claim::Tenure;
use wpaas_core::service::{Service, ServiceError};
use wpaas_core::store::{Committed, EventKind};

use crate::problem::chain;

/// After a site was made nothing is made for so long: it is not to be in the way of a site that somebody waits for.
const QUIET: Duration = Duration::from_secs(10);

/// However many sites are made, spares are looked after this often.
const SWEEP: Duration = Duration::from_secs(60);

/// The spares of this installation, and those that this server can give away.
#[derive(Debug, Clone, Default)]
pub struct Spares {
    count: Family<StateLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

impl Spares {
    /// Tells the registry what there is to count.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Sites that nobody has asked for yet: those that are kept, and those that this server can give away";
        registry.register("spares", help, self.count.clone());
    }

    /// Counts them. While nobody knows how many there are, as many as there were last.
    pub async fn count(&self, service: &Service) {
        let Ok((kept, ready)) = service.spares().await else { return };
        for (state, count) in [("kept", kept.len()), ("ready", ready)] {
            self.count.get_or_create(&StateLabels { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}

/// Makes and ends spares until `stop` completes; of several servers one does.
pub async fn run(service: Service, tenure: Tenure, stop: impl Future<Output = ()> + Send) {
    let mut stop = std::pin::pin!(stop);
    let (mut feed, mut turns) = (service.feed(), tenure.changes());
    let (mut due, mut latest) = (Instant::now(), Instant::now() + SWEEP);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Ok(()) = turns.changed() => due = Instant::now(),
            () = site_made(&mut feed) => due = latest.min(Instant::now() + QUIET),
            () = sleep_until(due) => {
                if tenure.leads() && let Err(error) = round(&service).await {
                    tracing::error!(error = chain(&error), "spares can't be looked after now");
                }
                (due, latest) = (Instant::now() + SWEEP, Instant::now() + SWEEP);
            }
        }
    }
}

async fn round(service: &Service) -> Result<(), ServiceError> {
    if service.keep_spares(Timestamp::now()).await? {
        tracing::info!(wanted = service.settings().spares, "spares were made or ended");
    }
    Ok(())
}

/// Waits until a site was made, or may have been.
async fn site_made(feed: &mut broadcast::Receiver<Committed>) {
    loop {
        match feed.recv().await {
            Ok(committed) => {
                if committed.events.iter().any(|event| event.event.kind == EventKind::SiteCreated) {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
