//! Puts the hashes in the place of the sites' admins' passwords, after the requests that brought them.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use wpaas_core::service::Service;

use crate::problem::chain;

/// Read at a time.
const BATCH: usize = 50;

/// What another process left, and what failed before, is looked for so often.
const PAUSE: Duration = Duration::from_secs(5);

/// Until told to stop: at once what this process commits, the rest within a pause.
pub async fn run(service: Service, stop: CancellationToken) {
    stop.run_until_cancelled(hash_for_ever(&service)).await;
}

async fn hash_for_ever(service: &Service) {
    let mut feed = service.feed();
    loop {
        match service.hash_admin_passwords(BATCH).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(error = chain(&error), "the admins' passwords can't be hashed now"),
        }
        let committed = async {
            loop {
                match feed.recv().await {
                    Ok(committed) if committed.sites.is_empty() => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Neither is an error: both mean to look again.
        drop(tokio::time::timeout(PAUSE, committed).await);
    }
}
