//! The data folder: what is in it is for the server's user alone.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use wpaas_core::secret::Secret;
use wpaas_core::store::{PostgresUrl, SqlStore, Store};

use crate::StartError;
use crate::config::{DatabaseSettings, Settings};

/// Makes the folder, and those above it, for this user alone. One that is there is left as it is.
///
/// # Errors
///
/// Of the file system.
pub fn private_folder(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens the state: the database that is named, else a file in the data folder that only its owner can read.
///
/// # Errors
///
/// When it can't be reached, made or read.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>, StartError> {
    Ok(Arc::new(database(settings).await?))
}

/// The same, for what only a database can do.
pub async fn database(settings: &Settings) -> Result<SqlStore, StartError> {
    let store = match &settings.database.url {
        Some(url) => SqlStore::connect(&address(url, &settings.database)?).await,
        None => SqlStore::open(&settings.data.join("wpaas.sqlite")).await,
    };
    store.map_err(StartError::Store)
}

/// Where the database is, with the password from its file.
fn address(url: &str, settings: &DatabaseSettings) -> Result<PostgresUrl, StartError> {
    let url: PostgresUrl = url.parse().map_err(StartError::Database)?;
    let Some(path) = &settings.password_file else { return Ok(url) };
    let password =
        fs::read_to_string(path).map_err(|source| StartError::PasswordFile { path: path.clone(), source })?;
    Ok(url.with_password(&Secret::new(password.trim_end_matches(['\r', '\n']).to_owned())))
}
