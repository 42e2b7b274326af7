//! Files for a container, as the archive that the Engine unpacks.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use tar::{Builder, EntryType, Header};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use wpaas_core::converge::{BackendError, ErrorClass, FileContent, NodeFile};
use wpaas_core::secret::Secrets;

use crate::error::no_secret;

/// The archive of these files of a node, to be unpacked in `/etc`. Secrets are looked up now.
pub(crate) async fn of_node(files: &[NodeFile], secrets: &dyn Secrets) -> Result<Bytes, BackendError> {
    let mut archive = Archive::new();
    archive.folder("wpaas", 0o755, 0)?;
    // Passable, so that a secret of the web server's group can be read by its path.
    archive.folder("wpaas/secrets", 0o711, 0)?;
    for file in files {
        let path = format!("wpaas/{}", file.path);
        let group = group(file.group)?;
        match &file.content {
            FileContent::Text(text) => archive.file(&path, file.mode, group, text.as_bytes())?,
            FileContent::Secret(reference) => {
                let secret = secrets.get(reference).await.map_err(|error| no_secret(&file.path, error))?;
                archive.file(&path, file.mode, group, secret.expose().as_bytes())?;
            }
        }
    }
    archive.finish()
}

/// The archive of a build context.
pub(crate) fn of_context<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Bytes, BackendError> {
    let mut archive = Archive::new();
    // The same bytes give the same archive, so that the Engine's cache is of use.
    archive.modified = 0;
    for (path, bytes) in files {
        archive.file(path, 0o644, 0, bytes)?;
    }
    archive.finish()
}

/// The archive of one folder of the web server's.
pub(crate) fn of_uploads(path: &str) -> Result<Bytes, BackendError> {
    let mut archive = Archive::new();
    archive.folder(path, 0o755, WWW_DATA)?;
    archive.finish()
}

/// The archive of one program, read while it is sent.
pub(crate) async fn of_program(
    path: &Path,
) -> std::io::Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static> {
    let file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    let mut header = Header::new_gnu();
    header.set_path("wpaas-program")?;
    header.set_mode(0o755);
    header.set_size(size);
    header.set_cksum();
    let begin = Bytes::copy_from_slice(header.as_bytes());
    // A whole number of blocks, and two empty ones.
    let end = Bytes::from(vec![0; usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or(0) + 1024]);
    let one = |bytes| stream::once(async { Ok(bytes) });
    Ok(one(begin).chain(ReaderStream::with_capacity(file.take(size), 1 << 20)).chain(one(end)))
}

/// Of a tar archive, in bytes.
const BLOCK: u64 = 512;

/// Debian's www-data, the same in every release.
const WWW_DATA: u64 = 33;

/// By number: old Engines look names up in the wrong place.
fn group(name: &str) -> Result<u64, BackendError> {
    match name {
        "root" => Ok(0),
        "www-data" => Ok(WWW_DATA),
        _ => Err(unfit(format!("the group {name} is not known"))),
    }
}

struct Archive {
    tar: Builder<Vec<u8>>,
    modified: u64,
}

impl Archive {
    fn new() -> Self {
        let modified = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { tar: Builder::new(Vec::new()), modified }
    }

    fn folder(&mut self, path: &str, mode: u32, owner: u64) -> Result<(), BackendError> {
        self.entry(path, EntryType::Directory, mode, (owner, owner), &[])
    }

    fn file(&mut self, path: &str, mode: u32, group: u64, bytes: &[u8]) -> Result<(), BackendError> {
        self.entry(path, EntryType::Regular, mode, (0, group), bytes)
    }

    fn entry(
        &mut self,
        path: &str,
        kind: EntryType,
        mode: u32,
        (user, group): (u64, u64),
        bytes: &[u8],
    ) -> Result<(), BackendError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(user);
        header.set_gid(group);
        header.set_mtime(self.modified);
        header.set_size(bytes.len() as u64);
        // Refuses a path that is absolute or climbs out.
        let appended = self.tar.append_data(&mut header, path, bytes);
        appended
            .map_err(|error| unfit(format!("the file {path} can't be put into an archive")).caused_by(error))
    }

    fn finish(self) -> Result<Bytes, BackendError> {
        let bytes = self.tar.into_inner();
        bytes.map(Bytes::from).map_err(|error| unfit("an archive can't be made").caused_by(error))
    }
}

fn unfit(message: impl Into<String>) -> BackendError {
    BackendError::new(ErrorClass::Permanent, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use async_trait::async_trait;
    use wpaas_core::id::SiteId;
    use wpaas_core::secret::{Secret, SecretError, SecretName, SecretRef};

    use super::*;

    #[derive(Debug)]
    struct OneSecret;

    #[async_trait]
    impl Secrets for OneSecret {
        async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
            let SecretRef { site, name, version } = *secret;
            match name {
                SecretName::Salt => Ok(Secret::new("pepper".to_owned())),
                _ => Err(SecretError::Absent { site, name, version }),
            }
        }
    }

    fn secret(name: SecretName) -> NodeFile {
        let content = FileContent::Secret(SecretRef { site: SiteId::new(), name, version: 1 });
        NodeFile { path: "secrets/salt".to_owned(), mode: 0o440, group: "www-data", content }
    }

    fn text(path: &str, group: &'static str) -> NodeFile {
        NodeFile { path: path.to_owned(), mode: 0o444, group, content: FileContent::Text("a=b\n".to_owned()) }
    }

    fn entries(archive: &[u8]) -> BTreeMap<String, (u32, u64, u64, String)> {
        let mut archive = tar::Archive::new(archive);
        let read = |mut entry: tar::Entry<'_, &[u8]>| {
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let header = entry.header();
            let (mode, user, group) = (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (path, (mode, user, group, text))
        };
        archive.entries().unwrap().map(|entry| read(entry.unwrap())).collect()
    }

    #[tokio::test]
    async fn files_have_their_owner_by_number_and_secrets_their_value() {
        let files = [text("node.conf", "root"), secret(SecretName::Salt)];
        let archive = of_node(&files, &OneSecret).await.unwrap();
        let entries = entries(&archive);
        assert_eq!(entries["wpaas/node.conf"], (0o444, 0, 0, "a=b\n".to_owned()));
        assert_eq!(entries["wpaas/secrets/salt"], (0o440, 0, 33, "pepper".to_owned()));
        assert_eq!(entries["wpaas/secrets"].0, 0o711);
    }

    #[tokio::test]
    async fn what_can_not_be_packed_is_refused() {
        let class = async |file| of_node(&[file], &OneSecret).await.unwrap_err().class;
        assert_eq!(class(secret(SecretName::AdminHash)).await, ErrorClass::Conflict);
        assert_eq!(class(text("../../passwd", "root")).await, ErrorClass::Permanent);
        assert_eq!(class(text("node.conf", "wheel")).await, ErrorClass::Permanent);
    }

    #[test]
    fn a_context_is_the_same_archive_every_time() {
        let context =
            || of_context([("Dockerfile", &b"FROM scratch"[..]), ("gateway/entry.sh", b"")].into_iter());
        assert_eq!(context().unwrap(), context().unwrap());
        let entries = entries(&context().unwrap());
        assert_eq!(entries["Dockerfile"], (0o644, 0, 0, "FROM scratch".to_owned()));
        assert!(entries.contains_key("gateway/entry.sh"));
    }
}
