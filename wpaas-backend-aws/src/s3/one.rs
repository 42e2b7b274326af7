use std::path::Path;

use wpaas_core::code::archive::{self, Stop};
use wpaas_core::code::{CodeError, Limits};

use super::Objects;
use super::budget::Budget;

/// One object, which is an archive. What it resolved to is its version.
pub(super) async fn fetch(
    objects: &dyn Objects,
    bucket: &str,
    key: &str,
    limits: &Limits,
    into: &Path,
) -> Result<String, CodeError> {
    let download = objects.get(key, None).await.map_err(|error| error.translate(bucket, Some(key)))?;
    let revision = download.revision.clone();
    // Beside the folder, gone with this future.
    let (file, path) = tempfile::NamedTempFile::new_in(into.parent().unwrap_or(into))?.into_parts();
    Budget::new(limits).save(download, &mut tokio::fs::File::from_std(file), bucket).await?;
    let (into, limits, stop) = (into.to_owned(), *limits, Stop::default());
    let _stopped = stop.on_drop();
    super::blocking(move || archive::unpack(&path, &into, &limits, &stop)).await?;
    Ok(revision)
}
