//! The data folder: what is in it is for the server's user alone.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use wpaas_core::store::{SqlStore, Store};

use crate::StartError;

/// Makes the folder, and those above it, for this user alone. One that is there is left as it is.
///
/// # Errors
///
/// Of the file system.
pub fn private_folder(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens the state.
///
/// # Errors
///
/// When its file, which only its owner can read, can't be made or read.
pub async fn open(data: &Path) -> Result<Arc<dyn Store>, StartError> {
    let path = data.join("wpaas.sqlite");
    Ok(Arc::new(SqlStore::open(&path).await.map_err(StartError::Store)?))
}
