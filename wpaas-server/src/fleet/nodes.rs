//! What the fleet's nodes are.

use std::net::SocketAddr;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use wpaas_core::converge::{FileContent, Fingerprint, NodeFile};
use wpaas_core::fleet::FleetNode;
use wpaas_core::node;

/// This program, to be run in a container.
pub struct Program {
    path: PathBuf,
    /// Of its bytes.
    digest: String,
}

impl Program {
    /// The program that runs now; `None` where it can't run in a container of Linux, or can't be read.
    pub async fn own() -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        tokio::task::spawn_blocking(|| {
            let path = std::env::current_exe().ok()?;
            let mut hash = Sha256::new();
            std::io::copy(&mut std::fs::File::open(&path).ok()?, &mut Hashing(&mut hash)).ok()?;
            Some(Self { path, digest: hex::encode(hash.finalize()) })
        })
        .await
        .ok()
        .flatten()
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The DNS server.
pub fn dns(program: &Program, listen: SocketAddr, zone: &str) -> FleetNode {
    let command = ["/usr/local/bin/wpaas-program", "dns", "--dns-zone", "/etc/wpaas/zone", "--dns-listen"];
    let listen = listen.to_string();
    let command: Vec<_> = command.into_iter().chain([listen.as_str()]).map(str::to_owned).collect();
    let files = vec![text("zone", zone)];
    let fingerprint = Fingerprint::of(command.iter().map(String::as_str).chain([program.digest.as_str()]));
    FleetNode { fingerprint, command, program: Some(program.path.clone()), files }
}

/// The edge, which listens for HTTPS as well where it is told to.
pub fn edge(listen: SocketAddr, tls: Option<SocketAddr>, sites: &str) -> FleetNode {
    let command = vec!["/bin/bash".to_owned(), "/usr/local/lib/wpaas/edge/entry.sh".to_owned()];
    let tls = tls.map_or_else(String::new, |tls| format!("listen_tls={tls}\n"));
    let config = format!("listen={listen}\n{tls}");
    let fingerprint = Fingerprint::of([config.as_str(), &node::edge_digest()]);
    let files = vec![text("edge.conf", &config), text("sites", sites)];
    FleetNode { fingerprint, command, program: None, files }
}

fn text(path: &str, text: &str) -> NodeFile {
    NodeFile { path: path.into(), mode: 0o444, group: "root", content: FileContent::Text(text.into()) }
}
