//! Making a release of code: fetch, check, pack, keep. Nothing is left behind but the release.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, Packed, Stop};
use super::reference::{self, CodePolicy};
use super::workspace::Workspace;
use super::{Code, CodeError, CodeSource, Digest, Layout, Limits, ReleaseStore};
use crate::secret::Secret;

/// Makes releases. How many at a time is the caller's to bound.
#[derive(Debug, Clone)]
pub struct ReleaseMaker {
    /// Fetches from git; without, such code is refused.
    pub git: Option<Arc<dyn CodeSource>>,
    /// Fetches from S3; without, such code is refused.
    pub s3: Option<Arc<dyn CodeSource>>,
    /// Keeps what was made.
    pub store: Arc<dyn ReleaseStore>,
    /// For each release.
    pub limits: Limits,
    /// Code is checked against it once again. The sources need the same.
    pub policy: CodePolicy,
    /// Where the work is done: a folder on the disk, for this process alone.
    pub temp_root: PathBuf,
}

/// A release that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeRelease {
    /// Under which the store has it.
    pub digest: Digest,
    /// How it is served.
    pub layout: Layout,
    /// What the reference resolved to: a commit, or an object's version.
    pub revision: String,
}

impl ReleaseMaker {
    /// Removes what a process that was killed left in the temporary folder. For the start, before any
    /// [`make`](Self::make).
    ///
    /// # Errors
    ///
    /// Of the file system.
    pub fn sweep(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.temp_root)?;
        Workspace::sweep(&self.temp_root)
    }

    /// Fetches, checks, packs and keeps this code. May be dropped at any point: then all of it ends, and
    /// nothing is left in the temporary folder.
    ///
    /// # Errors
    ///
    /// See [`CodeError`]; taking longer than the limit is `Unavailable`.
    pub async fn make(&self, code: &Code, credential: Option<&Secret>) -> Result<MadeRelease, CodeError> {
        reference::recheck(code, &self.policy)?;
        let source = self.source(code)?;
        let work = Workspace::create(&self.temp_root)?;
        let made = self.make_in(work.path(), source.as_ref(), code, credential);
        match tokio::time::timeout(self.limits.time, made).await {
            Ok(made) => made,
            Err(_) => Err(timed_out(&self.limits)),
        }
    }

    fn source(&self, code: &Code) -> Result<&Arc<dyn CodeSource>, CodeError> {
        let (source, kind) = match code {
            Code::Git(_) => (&self.git, "git"),
            Code::S3(_) => (&self.s3, "S3"),
        };
        source.as_ref().ok_or_else(|| CodeError::Refused(format!("this server fetches no code from {kind}")))
    }

    async fn make_in(
        &self,
        work: &Path,
        source: &dyn CodeSource,
        code: &Code,
        credential: Option<&Secret>,
    ) -> Result<MadeRelease, CodeError> {
        let (files, archive) = (work.join("code"), work.join("release.tar.gz"));
        std::fs::create_dir(&files)?;
        let revision = source.fetch(code, credential, &self.limits, &files).await?;
        let Packed { digest, layout } = pack(files, archive.clone(), self.limits).await?;
        self.store.put(&digest, &archive).await?;
        Ok(MadeRelease { digest, layout, revision })
    }
}

async fn pack(files: PathBuf, archive: PathBuf, limits: Limits) -> Result<Packed, CodeError> {
    let stop = Stop::default();
    let _stopped = stop.on_drop();
    super::blocking(move || archive::pack(&files, &archive, &limits, &stop)).await
}

/// The answer to a fetch that took too long.
pub(crate) fn timed_out(limits: &Limits) -> CodeError {
    CodeError::Unavailable(format!("fetching the code took longer than {} s", limits.time.as_secs()))
}

#[cfg(test)]
mod tests;
