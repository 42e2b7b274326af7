//! Databases for tests, on the `PostgreSQL` that `WPAAS_TEST_POSTGRES` names (`scripts/postgres` starts one).

use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::PostgresUrl;

/// A new, empty database; `None` when no `PostgreSQL` is named.
///
/// # Panics
///
/// When the one that is named can't be used.
pub async fn database() -> Option<PostgresUrl> {
    let url = url().await?;
    Some(url.parse().expect("a changed path leaves it an address"))
}

/// The same as a text, for what reads its configuration.
///
/// # Panics
///
/// As [`database`].
pub async fn url() -> Option<String> {
    let server = std::env::var("WPAAS_TEST_POSTGRES").ok()?;
    Some(beside(&server).await)
}

/// The address of a new, empty database on this `PostgreSQL`.
///
/// # Panics
///
/// When it can't be used.
pub async fn beside(server: &str) -> String {
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let parsed: PostgresUrl = server.parse().expect("the address of a database");
    parsed.create(&name).await.expect("the PostgreSQL for tests answers");
    let mut url = url::Url::parse(server).expect("the address of a database");
    url.set_path(&name);
    url.to_string()
}

/// What its socket is named in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// A way to a database that can be cut without an end: whoever is connected, or connects, hears nothing any more, as of a
/// machine that hangs. Later what was sent meanwhile arrives.
#[derive(Debug)]
pub struct Line {
    folder: PathBuf,
    cut: watch::Sender<bool>,
    _passes: AbortOnDropHandle<()>,
}

impl Line {
    /// To the database of this address, with the address to use; `None` where that names no folder of a socket.
    ///
    /// # Panics
    ///
    /// When no socket can be made.
    #[must_use]
    pub fn to(url: &str) -> Option<(Self, String)> {
        let parsed = url::Url::parse(url).ok()?;
        let behind = parsed.query_pairs().find(|(name, _)| name == "host")?.1.into_owned();
        let folder = std::env::temp_dir().join(format!("line-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let listener = UnixListener::bind(folder.join(SOCKET)).expect("a socket");
        let (cut, is_cut) = watch::channel(false);
        let passes = tokio::spawn(pass_all(listener, Path::new(&behind).join(SOCKET), is_cut));
        let url = url.replace(&behind, folder.to_str().expect("a plain name"));
        Some((Self { folder, cut, _passes: AbortOnDropHandle::new(passes) }, url))
    }

    /// Passes nothing on any more, or all again.
    pub fn cut(&self, is_cut: bool) {
        self.cut.send_replace(is_cut);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _left = std::fs::remove_dir_all(&self.folder);
    }
}

async fn pass_all(listener: UnixListener, to: PathBuf, is_cut: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = UnixStream::connect(&to).await else { continue };
        let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
        tokio::spawn(pass(from_near, to_far, is_cut.clone()));
        tokio::spawn(pass(from_far, to_near, is_cut.clone()));
    }
}

/// Passes on what comes and, at last, that nothing more comes.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut is_cut: watch::Receiver<bool>,
) {
    let mut piece = [0; 8192];
    loop {
        let read = from.read(&mut piece).await.unwrap_or(0);
        let is_there = is_cut.wait_for(|is_cut| !is_cut).await.is_ok();
        if !is_there || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
        if read == 0 {
            let _gone = to.shutdown().await;
            return;
        }
    }
}
