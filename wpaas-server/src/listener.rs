//! A listener and the task that serves it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::AddExtension;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

use crate::StartError;
use crate::rates::Peer;

/// Connections at a time; the next ones wait.
const CONNECTIONS: usize = 2048;

/// After this, whoever connects and sends no request's head has lost its place.
const PATIENCE: Duration = Duration::from_secs(60);

/// After accepting has failed (no file descriptors are left, say).
const PAUSE: Duration = Duration::from_millis(200);

/// A listener that serves.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    task: JoinHandle<()>,
    broken: CancellationToken,
}

/// A listener whose address is known before anything is served: who connects waits.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// With the port that the system has chosen, where none was asked for.
    pub address: SocketAddr,
}

/// Listens at `address`.
pub async fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address })
}

/// Serves `router` there until `stop`.
pub fn listen(bound: Bound, router: Router, stop: &CancellationToken) -> Listening {
    let Bound { listener, address } = bound;
    let broken = CancellationToken::new();
    let (stop, ended) = (stop.clone(), broken.clone().drop_guard());
    let task = tokio::spawn(async move {
        let _ended = ended;
        serve(listener, router, stop, PATIENCE).await;
    });
    Listening { address, task, broken }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, patience: Duration) {
    // Outside the router: a path is found after its trailing slash is gone.
    let trimmed = NormalizePathLayer::trim_trailing_slash().layer(router);
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    // Connections end with this task, also when it is aborted.
    let cut = CancellationToken::new();
    let _cut = cut.clone().drop_guard();
    while let Some(Ok(place)) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
        let (stream, peer) = match stop.run_until_cancelled(listener.accept()).await {
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                accept_failed(&error).await;
                continue;
            }
            None => break,
        };
        let service = TowerToHyperService::new(Extension(Peer(peer)).layer(trimmed.clone()));
        let connection = graceful.watch(connection(stream, service, patience));
        let cut = cut.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Some(Err(error)) = cut.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The routes, with the other end of the connection in each request.
type Service = TowerToHyperService<AddExtension<NormalizePath<Router>, Peer>>;

fn connection(
    stream: TcpStream,
    service: Service,
    patience: Duration,
) -> http1::Connection<TokioIo<TcpStream>, Service> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience);
    builder.serve_connection(TokioIo::new(stream), service)
}

async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "connections can't be accepted now");
        tokio::time::sleep(PAUSE).await;
    }
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
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a listener panicked"),
            Err(_) => {
                tracing::warn!(address = %self.address, "open requests were cut off");
                self.task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn whoever_sends_nothing_loses_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let patience = Duration::from_millis(20);
        let server = tokio::spawn(serve(listener, Router::new(), stop.clone(), patience));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        stop.cancel();
        server.await.unwrap();
    }
}
