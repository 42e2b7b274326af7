//! Removes the customers whose deletion's grace is over, a step at a time.
//!
//! Nothing is remembered here: each step is found by what is there, so a crash at any point leaves nothing to
//! recover.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};
use wpaas_core::claim::Tenure;
use wpaas_core::name::Cid;
use wpaas_core::service::{Purge, Service, ServiceError};
use wpaas_core::store::{Committed, EventKind};

use crate::problem::chain;

/// A grace ends without an event; and a hint may be lost.
const SWEEP: Duration = Duration::from_secs(10);

/// Customers in one round.
const ROUND: usize = 100;

/// Works until `stop` completes; of several servers one does.
pub async fn run(service: Service, tenure: Tenure, stop: impl Future<Output = ()> + Send) {
    let mut stop = std::pin::pin!(stop);
    let mut feed = service.feed();
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = concerned(&mut feed) => {}
            _ = sweep.tick() => {}
        }
        if !tenure.leads() {
            continue;
        }
        if let Err(error) = round(&service).await {
            tracing::error!(error = chain(&error), "customers can't be removed now");
        }
    }
}

async fn round(service: &Service) -> Result<(), ServiceError> {
    for cid in service.customers_to_purge(ROUND, Timestamp::now()).await? {
        purge(service, &cid).await?;
    }
    Ok(())
}

/// As far as it goes now.
async fn purge(service: &Service, cid: &Cid) -> Result<(), ServiceError> {
    loop {
        match service.purge_customer(cid, Timestamp::now()).await? {
            Purge::More => {}
            Purge::Waiting { sites } => {
                tracing::debug!(%cid, sites, "a customer's removal waits for its sites");
                return Ok(());
            }
            Purge::Done => {
                tracing::info!(%cid, "a customer was removed");
                return Ok(());
            }
        }
    }
}

/// Waits until a customer changed or a site is gone.
async fn concerned(feed: &mut broadcast::Receiver<Committed>) {
    loop {
        match feed.recv().await {
            Ok(Committed { events, customers, .. }) => {
                let purged = events.iter().any(|event| event.event.kind == EventKind::SitePurged);
                if purged || !customers.is_empty() {
                    return;
                }
            }
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
