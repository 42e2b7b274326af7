//! A node reports to one server; the others learn of it too, so that whoever takes its site over knows all that is
//! known. Reports come again every few seconds: one that is lost on the way costs no more than that.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use wpaas_core::claim::Peers;

use crate::problem::Problem;

/// Marks what was passed on, which is not passed on again.
const RELAYED: &str = "x-wpaas-relayed";

/// A server that does not take a report in this time gets the next one.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many on their way at a time; above, they are dropped.
const MOST: usize = 256;

/// Passes reports on; cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    peers: Peers,
    client: reqwest::Client,
    permits: Arc<Semaphore>,
    most_bytes: usize,
}

impl Relay {
    /// To these servers; reports are no longer than this.
    pub fn new(peers: Peers, most_bytes: usize) -> Self {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap_or_default();
        Self { peers, client, permits: Arc::new(Semaphore::new(MOST)), most_bytes }
    }

    fn send(&self, uri: &Uri, headers: &HeaderMap, report: &Bytes) {
        let peers = self.peers.borrow().clone();
        for url in peers.into_iter().filter_map(|peer| peer.reports) {
            let Ok(permit) = self.permits.clone().try_acquire_owned() else { return };
            let mut request = self.client.post(format!("{url}{}", uri.path())).header(RELAYED, "1");
            for name in [AUTHORIZATION, CONTENT_TYPE] {
                if let Some(value) = headers.get(&name) {
                    request = request.header(name, value);
                }
            }
            let request = request.body(report.clone());
            tokio::spawn(async move {
                if let Err(error) = request.send().await {
                    tracing::debug!(%error, "a report was not passed on");
                }
                drop(permit);
            });
        }
    }
}

/// Passes on what was taken.
pub async fn layer(State(relay): State<Relay>, request: Request, next: Next) -> Response {
    if relay.peers.borrow().is_empty() || request.headers().contains_key(RELAYED) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(report) = to_bytes(body, relay.most_bytes).await else {
        let detail = "the body is larger than this server takes, or ended early";
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).into_response();
    };
    let (uri, headers) = (parts.uri.clone(), parts.headers.clone());
    let response = next.run(Request::from_parts(parts, Body::from(report.clone()))).await;
    if response.status().is_success() {
        relay.send(&uri, &headers, &report);
    }
    response
}
