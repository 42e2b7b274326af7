//! A listener and the task that serves it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::{Router, ServiceExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use crate::StartError;

/// A listener that serves.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    broken: CancellationToken,
}

/// Serves `router` at `address` until `stop`.
pub async fn listen(
    address: SocketAddr,
    router: Router,
    stop: &CancellationToken,
) -> Result<Listening, StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    // Outside the router: a path is found after its trailing slash is gone.
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    let service = ServiceExt::<Request>::into_make_service(service);
    let broken = CancellationToken::new();
    let (stopped, ended) = (stop.clone().cancelled_owned(), broken.clone().drop_guard());
    let task = tokio::spawn(async move {
        let _ended = ended;
        axum::serve(listener, service).with_graceful_shutdown(stopped).await
    });
    Ok(Listening { address, task, broken })
}

impl Listening {
    /// Where.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Completes when nothing is served any more.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Waits so long for the requests that run, then cuts them off.
    pub async fn ended(mut self, patience: Duration) {
        match tokio::time::timeout(patience, &mut self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(%error, "a listener failed"),
            Ok(Err(error)) => tracing::error!(%error, "a listener panicked"),
            Err(_) => {
                tracing::warn!(address = %self.address, "open requests were cut off");
                self.task.abort();
            }
        }
    }
}
