use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use tempfile::TempDir;

use super::super::*;
use crate::code::Digest;
use crate::code::fetch::{MadeRelease, ReleaseMaker};
use crate::code::local_store::LocalReleaseStore;

/// A repository, a maker of releases, and a temporary folder that has to be empty in the end.
pub(super) struct Bench {
    temp: TempDir,
    pub(super) maker: ReleaseMaker,
}

impl Bench {
    pub(super) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::create_dir(path("work")).unwrap();
        let policy = CodePolicy {
            allowed_prefixes: vec![format!("file://{}/", temp.path().display())],
            ..CodePolicy::default()
        };
        let maker = ReleaseMaker {
            git: None,
            s3: None,
            store: Arc::new(LocalReleaseStore::open(path("releases")).unwrap()),
            limits: Limits { bytes: 4 << 20, entries: 200, time: Duration::from_mins(1) },
            policy,
            temp_root: path("work"),
        };
        let bench = Self { temp, maker };
        bench.git(&["init", "--quiet", "--initial-branch=main", "site"]);
        bench.commit(&[("themes/a/style.css", "/* Theme Name: A */")]);
        bench
    }

    pub(super) fn root(&self) -> &Path {
        self.temp.path()
    }

    pub(super) fn site(&self) -> PathBuf {
        self.root().join("site")
    }

    /// Runs git in the repository (or beside it, before it is there); what it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    pub(super) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let site = self.site();
        let folder = if site.exists() { &site } else { self.root() };
        let mut command = Command::new("git");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.root());
        command
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "gc.auto=0"])
            .args(arguments);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Writes the files, commits everything, and makes it visible to the dumb transport.
    pub(super) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            let path = self.site().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=x"]);
        self.publish()
    }

    pub(super) fn publish(&self) -> String {
        self.git(&["update-server-info"]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(super) fn allow(&mut self, prefix: String) {
        self.maker.policy.allowed_prefixes.push(prefix);
    }

    pub(super) fn source(&self) -> GitSource {
        GitSource::new(self.maker.policy.clone())
    }

    pub(super) async fn make(&self, url: &str, reference: Option<&str>) -> Result<MadeRelease, CodeError> {
        let code = code(url, reference);
        self.make_code(&code, None).await
    }

    /// Makes a release; whatever comes of it, nothing is left of the work.
    pub(super) async fn make_code(
        &self,
        code: &Code,
        credential: Option<&str>,
    ) -> Result<MadeRelease, CodeError> {
        let mut maker = self.maker.clone();
        maker.git = maker.git.or_else(|| Some(Arc::new(self.source())));
        let secret = credential.map(|text| Secret::new(text.to_owned()));
        let made = maker.make(code, secret.as_ref()).await;
        self.assert_clean();
        made
    }

    pub(super) async fn refusal(&self, url: &str, reference: Option<&str>) -> String {
        match self.make(url, reference).await {
            Err(error) => error.to_string(),
            Ok(made) => panic!("{url} {reference:?} was taken: {made:?}"),
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        fs::read_dir(&self.maker.temp_root).unwrap().count() == 0
    }

    /// A killed git's last write is cleaned up a moment later, by another thread.
    pub(super) fn assert_clean(&self) {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !self.is_clean() {
            assert!(std::time::Instant::now() < deadline, "something was left in the temporary folder");
            std::thread::yield_now();
        }
    }

    /// The names and contents of a release's files.
    pub(super) async fn files(&self, digest: &Digest) -> Vec<(String, String)> {
        let parts: Vec<bytes::Bytes> =
            self.maker.store.open(digest).await.unwrap().try_collect().await.unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&*parts.concat()).take_all());
        let entries = tar.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), content)
        });
        entries.filter(|(path, _)| !path.ends_with('/')).collect()
    }
}

pub(super) fn code(url: &str, reference: Option<&str>) -> Code {
    Code::Git(GitCode { url: url.to_owned(), reference: reference.map(str::to_owned), path: None })
}

trait TakeAll {
    fn take_all(self) -> std::io::Cursor<Vec<u8>>;
}

impl<R: std::io::Read> TakeAll for R {
    fn take_all(mut self) -> std::io::Cursor<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).unwrap();
        std::io::Cursor::new(bytes)
    }
}
