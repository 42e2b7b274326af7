//! A site's code: where it comes from, how it is fetched, checked, pinned to a digest and kept.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::reach::PinError;
use crate::secret::Secret;

pub mod archive;
pub mod fetch;
#[cfg(feature = "git")]
pub mod git;
pub mod local_store;
pub mod reference;
mod text;
mod workspace;

/// Where a site's code comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A git repository.
    Git(GitCode),
    /// An S3 bucket.
    S3(S3Code),
}

/// A git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitCode {
    /// `https://…`, `ssh://…` or `git@host:path`; no user or password inside.
    pub url: String,
    /// A branch, a tag or a commit; the remote's HEAD without.
    pub reference: Option<String>,
    /// The folder in the repository that holds the code.
    pub path: Option<String>,
}

/// An S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3Code {
    /// The bucket's name.
    pub bucket: String,
    /// None, or one ending in `/`: the tree of objects below; else an archive.
    pub key: Option<String>,
    /// Another S3 than AWS's.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: Option<String>,
}

/// How a release is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A `wp-content` (themes, plugins, mu-plugins) over the stock WordPress.
    Content,
    /// The same without a theme of its own: the stock theme is put in.
    ContentWithoutTheme,
    /// A whole WordPress tree.
    Tree,
}

/// The SHA-256 of a release's archive, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes' hash.
    #[must_use]
    pub const fn from_sha256(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The first bytes, for names.
    #[must_use]
    pub fn prefix(&self) -> [u8; 6] {
        let mut prefix = [0; 6];
        prefix.copy_from_slice(&self.0[..6]);
        prefix
    }
}

#[cfg(feature = "openapi")]
crate::openapi::schema!(Digest, crate::openapi::text("^sha256:[0-9a-f]{64}$", 71));

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: sha256: and 64 lower-case hex digits")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let digits = text.strip_prefix("sha256:").ok_or(InvalidDigest)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(InvalidDigest);
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| InvalidDigest)?;
        Ok(Self(hash))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why code could not become a release. The display text is for the customer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The code is refused, and will be again: a person must change something.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
    /// This machine's own storage failed.
    #[error("the release store failed")]
    Io(#[from] std::io::Error),
}

impl From<PinError> for CodeError {
    fn from(error: PinError) -> Self {
        match error {
            PinError::NotPublic(_) => Self::Refused(format!("{error}; code is fetched from there only")),
            PinError::Unknown(_) => Self::Unavailable(error.to_string()),
        }
    }
}

/// Fetches code of one kind.
#[async_trait]
pub trait CodeSource: fmt::Debug + Send + Sync + 'static {
    /// Puts the code's files into the empty folder `into`, within `limits`, and tells what the reference
    /// resolved to (a commit, an object's version).
    ///
    /// # Errors
    ///
    /// See [`CodeError`]. What is then in `into` is of no meaning; the caller removes it.
    async fn fetch(
        &self,
        code: &Code,
        credential: Option<&Secret>,
        limits: &Limits,
        into: &Path,
    ) -> Result<String, CodeError>;
}

/// How much code may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of all files together, unpacked.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// For a whole fetch.
    pub time: std::time::Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 30, entries: 100_000, time: std::time::Duration::from_mins(5) }
    }
}

/// Keeps the archives of releases by digest.
#[async_trait]
pub trait ReleaseStore: fmt::Debug + Send + Sync + 'static {
    /// Takes over the archive at `file`, whose digest this is. Nothing happens when it is there already.
    ///
    /// # Errors
    ///
    /// Of the storage.
    async fn put(&self, digest: &Digest, file: &Path) -> std::io::Result<()>;

    /// The archive: a gzipped tar whose entries are plain files and folders, relative, owned by root.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none of this digest.
    async fn open(
        &self,
        digest: &Digest,
    ) -> std::io::Result<BoxStream<'static, std::io::Result<bytes::Bytes>>>;

    /// The archives besides the used ones, and since when each was found to be in no use by every call of this. That
    /// is kept beside the archive, and begins anew when it is put again.
    ///
    /// # Errors
    ///
    /// Of the storage.
    async fn unused(
        &self,
        used: &BTreeSet<Digest>,
        now: std::time::SystemTime,
    ) -> std::io::Result<Vec<(Digest, std::time::SystemTime)>>;

    /// Forgets an archive; nothing happens when there is none.
    ///
    /// # Errors
    ///
    /// Of the storage.
    async fn remove(&self, digest: &Digest) -> std::io::Result<()>;
}

/// Work that blocks, on a thread for such work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CodeError> + Send + 'static,
) -> Result<T, CodeError> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}
