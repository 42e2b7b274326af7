//! Code from git, by the `git` executable (2.37 or later), which is given nothing of this machine's
//! configuration and nothing to run.
//!
//! The credential of a site is, for https, `TOKEN` or `USER:TOKEN`; for ssh, a private key in PEM or OpenSSH
//! form without a passphrase. Hooks, filters, LFS, submodules and redirects are off; files that LFS keeps
//! elsewhere stay the pointers they are, and a repository with submodules is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::archive::Stop;
use super::fetch::timed_out;
use super::reference::{CodeField, CodePolicy, GitUrl, Transport};
use super::text::printable;
use super::workspace::Workspace;
use super::{Code, CodeError, CodeSource, GitCode, Limits};
use crate::reach::{Reach, Resolve, SystemResolver, pin};
use crate::secret::Secret;

mod command;
mod credential;
mod extract;
mod failure;
mod refs;
mod remote;

use command::Git;
use failure::Failure;
use refs::{Refs, Want};

/// Where the fetched commit is kept in the temporary repository.
const WANT: &str = "refs/wpaas/want";

/// How the keys of ssh servers are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeys {
    /// They can't be: ssh addresses are refused.
    None,
    /// Against this file, in the form of `known_hosts`; a server that is not in it is refused.
    Known(PathBuf),
    /// The same, but the key of a server that was never seen is trusted and added.
    AcceptNew(PathBuf),
}

/// Fetches code from git.
#[derive(Debug, Clone)]
pub struct GitSource {
    program: PathBuf,
    policy: CodePolicy,
    host_keys: HostKeys,
    resolver: Arc<dyn Resolve>,
}

impl GitSource {
    /// With the `git` of this process's path, and for https only.
    #[must_use]
    pub fn new(policy: CodePolicy) -> Self {
        let (program, host_keys) = (PathBuf::from("git"), HostKeys::None);
        Self { program, policy, host_keys, resolver: Arc::new(SystemResolver) }
    }

    /// With these keys of ssh servers.
    #[must_use]
    pub fn with_host_keys(self, host_keys: HostKeys) -> Self {
        Self { host_keys, ..self }
    }

    /// With this executable.
    #[must_use]
    pub fn with_program(self, program: PathBuf) -> Self {
        Self { program, ..self }
    }

    /// With this look-up of names.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    async fn fetch_in(&self, job: Job<'_>) -> Result<String, CodeError> {
        let Job { code, credential, limits, work, into } = job;
        let url = GitUrl::parse(&code.url, &self.policy);
        let url = url.map_err(|problem| problem.of(CodeField::Git))?;
        let git = Git::local(&self.program, work, limits);
        git.check_version().await?;
        let git = self.connect(git, &url, credential).await?;
        let session = Session { git: &git, url: &url, code };
        let commit = session.fetch_commit().await?;
        let tree = session.find_tree(&commit).await?;
        let (listing, batch) = (git.command(&extract::listing(&tree)), git.command(&extract::BATCH));
        let (into, limits, stop) = (into.to_owned(), *limits, Stop::default());
        let _stopped = stop.on_drop();
        super::blocking(move || extract::extract(listing, batch, &into, &limits, &stop)).await?;
        Ok(commit)
    }

    /// Looks the host up, once, and has git use that and nothing else.
    async fn connect(&self, git: Git, url: &GitUrl, credential: Option<&Secret>) -> Result<Git, CodeError> {
        let git = credential::give(git, url, credential)?;
        if url.transport == Transport::File {
            return Ok(remote::reach_files(git));
        }
        let reach = if url.allowed_by_prefix { Reach::Anywhere } else { Reach::Public };
        let pinned = pin(self.resolver.as_ref(), &url.host, reach).await?;
        remote::reach(git, url, &pinned, &self.host_keys)
    }
}

#[async_trait]
impl CodeSource for GitSource {
    async fn fetch(
        &self,
        code: &Code,
        credential: Option<&Secret>,
        limits: &Limits,
        into: &Path,
    ) -> Result<String, CodeError> {
        let Code::Git(code) = code else {
            return Err(CodeError::Refused("the code is not in git".into()));
        };
        let work = Workspace::create(into.parent().unwrap_or(into))?;
        let job = Job { code, credential, limits, work: work.path(), into };
        match tokio::time::timeout_at(Instant::now() + limits.time, self.fetch_in(job)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(timed_out(limits)),
        }
    }
}

struct Job<'a> {
    code: &'a GitCode,
    credential: Option<&'a Secret>,
    limits: &'a Limits,
    work: &'a Path,
    into: &'a Path,
}

/// One remote repository that is being read.
struct Session<'a> {
    git: &'a Git,
    url: &'a GitUrl,
    code: &'a GitCode,
}

impl Session<'_> {
    async fn fetch_commit(&self) -> Result<String, CodeError> {
        let list = ["ls-remote", "--symref", "--", &self.url.text, "HEAD", "refs/heads/*", "refs/tags/*"];
        let list = self.git.run(&list).await.map_err(|failure| self.translate(failure))?;
        let refs = Refs::parse(&list);
        let want = refs.choose(self.code.reference.as_deref())?;
        self.git.run(&["init", "--quiet", "--bare", "--template="]).await.map_err(Failure::local)?;
        let name = match &want {
            Want::Ref(name) => self.fetch_ref(name).await.map(|()| WANT.to_owned()),
            Want::Commit(id) => self.fetch_id(id).await.map(|()| id.clone()),
        }?;
        self.git.check_size()?;
        let commit = self.git.run(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).await;
        commit.map(|id| id.trim().to_owned()).map_err(|_| refs.not_found(&name))
    }

    async fn fetch_ref(&self, name: &str) -> Result<(), CodeError> {
        let spec = format!("+{name}:{WANT}");
        self.try_fetch(&[&spec]).await.map_err(|failure| self.translate(failure))
    }

    /// A commit that no branch or tag points to: not every server gives it, so its history is looked
    /// through then.
    async fn fetch_id(&self, id: &str) -> Result<(), CodeError> {
        match self.try_fetch(&[&format!("+{id}:{WANT}")]).await {
            Err(Failure::Git(_)) => {
                let all = ["+refs/heads/*:refs/wpaas/heads/*", "+refs/tags/*:refs/wpaas/tags/*"];
                self.fetch_specs(&[], &all).await.map_err(|failure| self.translate(failure))
            }
            other => other.map_err(|failure| self.translate(failure)),
        }
    }

    /// One commit without its history, where the server can.
    async fn try_fetch(&self, specs: &[&str]) -> Result<(), Failure> {
        match self.fetch_specs(&["--depth=1"], specs).await {
            Err(failure) if failure.is_about_depth() => self.fetch_specs(&[], specs).await,
            other => other,
        }
    }

    async fn fetch_specs(&self, options: &[&str], specs: &[&str]) -> Result<(), Failure> {
        let fixed = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
        let arguments = [&fixed, options, &["--", &self.url.text], specs].concat();
        self.git.run(&arguments).await.map(drop)
    }

    async fn find_tree(&self, commit: &str) -> Result<String, CodeError> {
        let path = self.code.path.as_deref().unwrap_or_default();
        let place = format!("{commit}:{path}");
        let found = self.git.run(&["rev-parse", "--verify", "--quiet", &place]).await;
        let tree = found.map(|id| id.trim().to_owned()).unwrap_or_default();
        let kind = self.git.run(&["cat-file", "-t", &tree]).await;
        if kind.is_ok_and(|kind| kind.trim() == "tree") {
            return Ok(tree);
        }
        let (path, commit) = (printable(path, 120), &commit[..12.min(commit.len())]);
        Err(CodeError::Refused(format!("code.path: there is no folder {path:?} in the commit {commit}")))
    }

    fn translate(&self, failure: Failure) -> CodeError {
        failure.translate(self.url)
    }
}

#[cfg(test)]
mod tests;
