//! Releases kept in a directory of this machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use tokio_util::io::ReaderStream;

use super::{Digest, ReleaseStore};

/// A directory of files named by their digests. What is there under its name is whole: it was checked, synced
/// and renamed. The directory has mode 0700, the files 0600.
#[derive(Debug, Clone)]
pub struct LocalReleaseStore {
    directory: PathBuf,
}

impl LocalReleaseStore {
    /// In this directory, which is made when it is not there.
    ///
    /// # Errors
    ///
    /// When it can't be made or its mode can't be set.
    pub fn open(directory: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = directory.into();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
        Ok(Self { directory })
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{}.tar.gz", digest.to_string().replace(':', "-")))
    }
}

#[async_trait]
impl ReleaseStore for LocalReleaseStore {
    async fn put(&self, digest: &Digest, file: &Path) -> io::Result<()> {
        let (digest, file, place) = (*digest, file.to_owned(), self.place(digest));
        blocking(move || put(&digest, &file, &place)).await
    }

    async fn open(&self, digest: &Digest) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let file = tokio::fs::File::open(self.place(digest)).await?;
        Ok(ReaderStream::with_capacity(file, 64 << 10).boxed())
    }

    async fn unused(
        &self,
        used: &BTreeSet<Digest>,
        now: SystemTime,
    ) -> io::Result<Vec<(Digest, SystemTime)>> {
        let (directory, used) = (self.directory.clone(), used.clone());
        blocking(move || unused(&directory, &used, now)).await
    }

    async fn remove(&self, digest: &Digest) -> io::Result<()> {
        let place = self.place(digest);
        blocking(move || remove(&place).and_then(|()| remove(&mark(&place)))).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn put(digest: &Digest, file: &Path, place: &Path) -> io::Result<()> {
    if hash(file)? != *digest {
        return Err(io::Error::new(ErrorKind::InvalidData, "the archive is not of the digest given"));
    }
    // A copy of another length is a damaged one, and is replaced.
    let there =
        fs::metadata(place).is_ok_and(|kept| fs::metadata(file).is_ok_and(|new| kept.len() == new.len()));
    if there {
        File::options().append(true).open(place)?.set_modified(SystemTime::now())?;
        return fs::remove_file(file);
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    File::open(file)?.sync_all()?;
    match fs::rename(file, place) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => move_across(file, place)?,
        other => other?,
    }
    place.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// The archives besides the used ones. Since when one is in no use is when its mark was made; a mark from before it was
/// put last counts no more.
fn unused(
    directory: &Path,
    used: &BTreeSet<Digest>,
    now: SystemTime,
) -> io::Result<Vec<(Digest, SystemTime)>> {
    let mut unused = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().replace('-', ":");
        let digest = name.strip_suffix(".tar.gz").and_then(|name| name.parse::<Digest>().ok());
        let Some(digest) = digest else { continue };
        let mark = mark(&entry.path());
        if used.contains(&digest) {
            remove(&mark)?;
        } else {
            unused.push((digest, marked(&mark, entry.metadata()?.modified()?, now)?));
        }
    }
    Ok(unused)
}

/// When an archive that was put then was marked; that is now, if it was not yet.
fn marked(mark: &Path, put: SystemTime, now: SystemTime) -> io::Result<SystemTime> {
    match fs::metadata(mark).and_then(|mark| mark.modified()) {
        Ok(since) if since >= put => Ok(since),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::create(mark)?.set_modified(now).map(|()| now),
    }
}

/// The file beside an archive that tells since when it is in no use.
fn mark(place: &Path) -> PathBuf {
    place.with_extension("unused")
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn move_across(file: &Path, place: &Path) -> io::Result<()> {
    let directory = place.parent().unwrap_or(Path::new("."));
    let mut copy = tempfile::Builder::new().prefix(".put-").tempfile_in(directory)?;
    io::copy(&mut File::open(file)?, &mut copy)?;
    copy.as_file().sync_all()?;
    copy.persist(place)?;
    fs::remove_file(file)
}

fn hash(file: &Path) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(Digest::from_sha256(hash.finalize().into())),
            read => hash.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    fn digest_of(bytes: &[u8]) -> Digest {
        Digest::from_sha256(Sha256::digest(bytes).into())
    }

    async fn content(store: &LocalReleaseStore, digest: &Digest) -> io::Result<Vec<u8>> {
        let parts: Vec<Bytes> = store.open(digest).await?.try_collect().await?;
        Ok(parts.concat())
    }

    #[tokio::test]
    async fn what_is_put_is_there_until_it_is_removed_and_for_nobody_else() {
        let temp = tempfile::tempdir().unwrap();
        let store = LocalReleaseStore::open(temp.path().join("releases")).unwrap();
        let digest = digest_of(b"archive");
        let file = temp.path().join("file");
        for _ in 0..2 {
            fs::write(&file, b"archive").unwrap();
            store.put(&digest, &file).await.unwrap();
            assert!(!file.exists(), "taken over");
        }
        assert_eq!(content(&store, &digest).await.unwrap(), b"archive");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&store.directory), mode(&store.place(&digest))), (0o700, 0o600));
        store.remove(&digest).await.unwrap();
        store.remove(&digest).await.unwrap();
        assert_eq!(content(&store, &digest).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn what_is_in_no_use_is_so_from_the_first_look_until_it_is_used_or_put_again() {
        let temp = tempfile::tempdir().unwrap();
        let store = LocalReleaseStore::open(temp.path().join("releases")).unwrap();
        let (one, other, file) = (digest_of(b"one"), digest_of(b"other"), temp.path().join("file"));
        fs::write(temp.path().join("releases/.put-left"), b"half").unwrap();
        for (digest, bytes) in [(&one, &b"one"[..]), (&other, b"other")] {
            fs::write(&file, bytes).unwrap();
            store.put(digest, &file).await.unwrap();
            let long_ago = SystemTime::UNIX_EPOCH;
            File::options().append(true).open(store.place(digest)).unwrap().set_modified(long_ago).unwrap();
        }
        let at = |day: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(day * 86_400);
        let unused = async |used: &[Digest], day| {
            let found = store.unused(&used.iter().copied().collect(), at(day)).await.unwrap();
            found.into_iter().collect::<std::collections::BTreeMap<_, _>>()
        };
        assert_eq!(unused(&[], 3).await, [(one, at(3)), (other, at(3))].into());
        assert_eq!(unused(&[one], 4).await, [(other, at(3))].into());
        assert_eq!(unused(&[], 5).await, [(one, at(5)), (other, at(3))].into());
        fs::write(&file, b"other").unwrap();
        store.put(&other, &file).await.unwrap();
        assert_eq!(unused(&[], 40_000).await, [(one, at(5)), (other, at(40_000))].into());
        store.remove(&one).await.unwrap();
        store.remove(&other).await.unwrap();
        assert_eq!(fs::read_dir(temp.path().join("releases")).unwrap().count(), 1, "no mark stays");
    }

    #[tokio::test]
    async fn another_content_than_the_digests_is_refused_and_a_damaged_copy_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let store = LocalReleaseStore::open(temp.path().join("releases")).unwrap();
        let (digest, file) = (digest_of(b"archive"), temp.path().join("file"));
        fs::write(&file, b"other").unwrap();
        assert_eq!(store.put(&digest, &file).await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), 0);
        fs::write(store.place(&digest), b"arch").unwrap();
        fs::write(&file, b"archive").unwrap();
        store.put(&digest, &file).await.unwrap();
        assert_eq!(content(&store, &digest).await.unwrap(), b"archive");
    }
}
