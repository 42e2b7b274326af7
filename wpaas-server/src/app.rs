//! Puts the parts together, and takes them apart in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, ServiceExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use crate::config::Settings;
use crate::metrics::Metrics;
use crate::operator::{OperatorToken, TokenError};
use crate::router;
use crate::state::AppState;

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    api: Listening,
    stop: CancellationToken,
    patience: Duration,
}

/// Why the server can't start. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No operator could sign in.
    #[error("there is no operator's token")]
    Token(#[source] TokenError),
    /// Somebody else may be listening there.
    #[error("can't listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Server {
    /// Opens what is in the data folder, binds, and begins to answer.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. Nothing runs then.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let operator = OperatorToken::load_or_create(&settings.data).map_err(StartError::Token)?;
        let (listen, patience) = (settings.listen, settings.limits.shutdown.as_std());
        let stop = CancellationToken::new();
        let state = AppState { settings: Arc::new(settings), metrics: Metrics::new(|_| ()), operator };
        let api = listen_at(listen, router::api(state), &stop).await?;
        tracing::info!(address = %api.address, "the API answers");
        Ok(Self { api, stop, patience })
    }

    /// Where the API answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.api.address
    }

    /// Takes no more requests, and waits a bounded time for those that run.
    pub async fn stop(self) {
        self.stop.cancel();
        self.api.ended(self.patience).await;
    }
}

/// A listener and the task that serves it.
#[derive(Debug)]
struct Listening {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
}

async fn listen_at(
    address: SocketAddr,
    router: Router,
    stop: &CancellationToken,
) -> Result<Listening, StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    // Outside the router: a path is found after its trailing slash is gone.
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    let service = ServiceExt::<axum::extract::Request>::into_make_service(service);
    let stopped = stop.clone().cancelled_owned();
    let task =
        tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(stopped).await });
    Ok(Listening { address, task })
}

impl Listening {
    async fn ended(mut self, patience: Duration) {
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
