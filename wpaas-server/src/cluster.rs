//! Several servers over one state: which sites this one tends, and who the others are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use wpaas_core::claim::{Keeper, Peers, ServerId, Tenure};
use wpaas_core::service::Service;

use crate::StartError;
use crate::config::Settings;
use crate::tasks::Tasks;

mod relay;

pub use relay::{Relay, layer as relay};

/// This server among the others.
#[derive(Debug)]
pub struct Cluster {
    /// What it tends.
    pub tenure: Tenure,
    /// The others that live.
    pub peers: Peers,
}

/// Begins to claim this server's part of the sites.
pub fn start(settings: &Settings, service: &Service, tasks: &mut Tasks) -> Result<Cluster, StartError> {
    let path = settings.data.join("server-id");
    let (server, lock) = server_id(&path).map_err(|source| StartError::File { path, source })?;
    let local = || format!("http://127.0.0.1:{}", settings.report_listen.port());
    let reports = settings.advertise.clone().unwrap_or_else(local);
    let (keeper, tenure, peers) = Keeper::new(service.claims(), server, Some(reports));
    let stopping = tasks.stopping();
    tasks.spawn("claims", async move {
        let _lock = lock;
        keeper.run(stopping.cancelled_owned()).await;
    });
    Ok(Cluster { tenure, peers })
}

/// The name in the data folder, made at the first start, so that a server that is started again is the same and need
/// not wait for itself to be taken for dead. While another process has that name, a new one is made up. The file is
/// to be kept open.
fn server_id(path: &Path) -> std::io::Result<(ServerId, File)> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok((ServerId::random(), file)),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Some(server) = ServerId::new(text.trim()) {
        return Ok((server, file));
    }
    let server = ServerId::random();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{server}")?;
    file.sync_all()?;
    Ok((server, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_name_and_two_never_share_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server-id");
        let (first, lock) = server_id(&path).unwrap();
        let (beside, _other) = server_id(&path).unwrap();
        assert_ne!(first, beside);
        drop(lock);
        assert_eq!(server_id(&path).unwrap().0, first);
    }
}
