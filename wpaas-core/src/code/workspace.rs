use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What the names of these folders begin with.
const PREFIX: &str = "wpaas-code-";

/// A fresh folder for one piece of work, for nobody else's eyes, that goes when this value does.
#[derive(Debug)]
pub(crate) struct Workspace {
    path: PathBuf,
}

impl Workspace {
    pub(crate) fn create(root: &Path) -> io::Result<Self> {
        // Of mode 0700. It is removed by `Drop` below, which is more stubborn.
        Ok(Self { path: tempfile::Builder::new().prefix(PREFIX).tempdir_in(root)?.keep() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what a killed process left below `root`. What it started may still write there: that goes a little later.
    pub(crate) fn sweep(root: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                drop(Self { path: entry.path() });
            }
        }
        Ok(())
    }
}

impl Drop for Workspace {
    /// A thread or process that was told to stop may write one more file while the folder is being removed;
    /// it makes no folder again that is gone. So a second try a little later does it.
    fn drop(&mut self) {
        if is_gone(&self.path) {
            return;
        }
        let path = std::mem::take(&mut self.path);
        thread::spawn(move || {
            for _ in 0..100 {
                thread::sleep(Duration::from_millis(50));
                if is_gone(&path) {
                    return;
                }
            }
            tracing::warn!(path = %path.display(), "a temporary folder could not be removed");
        });
    }
}

fn is_gone(path: &Path) -> bool {
    match std::fs::remove_dir_all(path) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound && !path.exists(),
    }
}
