//! `wpaas-server dns`: answers for the names of a zone's file for as long as it runs. It needs nothing else of the
//! platform, so that names are answered while servers come and go.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hickory_server::Server;
use tokio::net::{TcpListener, UdpSocket};

mod ask;
mod zone;

pub(crate) use ask::text;
pub use ask::{serial_at, texts_at};
use zone::Served;

/// How often the file is looked at.
const PACE: Duration = Duration::from_millis(200);
/// How long a TCP connection may say nothing.
const IDLE: Duration = Duration::from_secs(10);
/// Answers that wait for a slow reader.
const BACKLOG: usize = 16;

/// Why nothing answers. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("can't answer DNS at {address}: name another address with --dns-listen")]
pub struct DnsError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// Answers over UDP and TCP until `stop` completes. The zone is what the file holds; one that is broken, or gone, is
/// said in the log, and the last good one is served on.
///
/// # Errors
///
/// When the address can't be listened at.
pub async fn run(address: SocketAddr, zone: PathBuf, stop: impl Future<Output = ()>) -> Result<(), DnsError> {
    let failed = |source| DnsError { address, source };
    let udp = UdpSocket::bind(address).await.map_err(failed)?;
    let tcp = TcpListener::bind(address).await.map_err(failed)?;
    let served = Served::default();
    let mut listener = Server::new(served.clone());
    listener.register_socket(udp);
    listener.register_listener(tcp, IDLE, BACKLOG);
    tracing::info!(%address, zone = %zone.display(), "answering DNS");
    tokio::select! {
        () = stop => {}
        () = follow(&served, &zone) => {}
    }
    drop(listener.shutdown_gracefully().await);
    Ok(())
}

/// Serves what the file becomes, for ever.
async fn follow(served: &Served, zone: &Path) {
    let mut seen = None;
    let mut clock = tokio::time::interval(PACE);
    loop {
        clock.tick().await;
        let now = stamp(zone);
        if now == seen {
            continue;
        }
        seen = now;
        match std::fs::read_to_string(zone) {
            // It is being replaced: the next look has it whole.
            Ok(text) if !text.ends_with("; end\n") => tracing::warn!("the zone's file has no end"),
            Ok(text) => match served.replace(&text) {
                Ok(serial) => tracing::info!(serial, "the zone is served"),
                Err(error) => {
                    tracing::warn!(%error, "the zone's file is refused; the last good one is served on");
                }
            },
            Err(error) => tracing::warn!(%error, "the zone's file can't be read"),
        }
    }
}

/// What tells a file from the one before.
fn stamp(zone: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let about = zone.metadata().ok()?;
    Some((about.modified().ok()?, about.len(), about.ino()))
}
