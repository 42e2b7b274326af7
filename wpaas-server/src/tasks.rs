//! What works beside the listeners for as long as the server runs.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Tasks that end when told to.
#[derive(Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    broken: CancellationToken,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Tasks {
    /// Completes when the tasks are to end.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts one. Should it end before it is told to, the server is broken.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let ended = self.broken.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _ended = ended;
            work.await;
        });
        self.running.push((name, task));
    }

    /// Completes when one has ended.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Ends them all at once, and waits so long for each.
    pub async fn stop(self, patience: Duration) {
        self.stop.cancel();
        for (name, mut task) in self.running {
            match tokio::time::timeout(patience, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(name, %error, "a task panicked"),
                Err(_) => {
                    tracing::warn!(name, "a task was cut off");
                    task.abort();
                }
            }
        }
    }
}
