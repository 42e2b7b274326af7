use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::failure::Failure;
use crate::code::archive::too_large;
use crate::code::{CodeError, Limits};

/// The most that a command may print, and the most that is kept of its complaints.
const MOST_OUTPUT: u64 = 16 << 20;
const MOST_COMPLAINT: u64 = 64 << 10;

/// How often the size of what is being fetched is looked at.
const WATCH: Duration = Duration::from_millis(100);

/// What of this process's environment git gets to see: where programs and trusted certificates are.
const INHERITED: [&str; 4] = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"];

/// Set whatever the transport. What a repository could bring along is off, even where it is by default.
const CONFIG: [&str; 30] = [
    "protocol.allow=never",
    "protocol.version=2",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.bigFileThreshold=16m",
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
    "pack.threads=1",
    "credential.helper=",
    "http.followRedirects=false",
    "http.proxy=",
    "http.sslVerify=true",
    "http.cookieFile=",
    "transfer.bundleURI=false",
    "transfer.advertiseSID=false",
    "transfer.credentialsInUrl=die",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// The most memory for each of git's processes, in KiB. What is fetched is held on the disk, but a server could
/// answer the first question with an endless list.
const MEMORY: u64 = 2 << 20;

/// So much later than this process ends it, it ends by itself, in seconds: this process may have been killed.
const ORPHANED: u64 = 2;

/// Bounds what follows and all that it starts: no core dumps, files of so many blocks, so much memory and so many seconds
/// (where the system can).
const BOUNDED: &str = r#"ulimit -c 0; ulimit -f "$0"; ulimit -v "$1" 2>/dev/null; seconds=$2; shift 2
command -v "$1" >/dev/null || { echo "$1: not found" >&2; exit 127; }
if command -v timeout >/dev/null; then set -- timeout -s KILL "$seconds" "$@"; fi; exec "$@""#;

/// What a process of git says that met such a bound; 25 is SIGXFSZ.
const EXCEEDED: [&str; 4] = ["signal 25", "file size limit", "out of memory", "file too large"];

/// The executable with all that it may know, bound to one temporary repository.
#[derive(Debug)]
pub(super) struct Git {
    program: PathBuf,
    work: PathBuf,
    limits: Limits,
    config: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
}

impl Git {
    /// For this folder, and for no transport at all.
    pub(super) fn local(program: &Path, work: &Path, limits: &Limits) -> Self {
        let config = CONFIG.iter().map(|&setting| setting.to_owned()).collect();
        let (program, work) = (program.to_owned(), work.to_owned());
        Self { program, work, limits: *limits, config, environment: Vec::new() }
    }

    pub(super) fn work(&self) -> &Path {
        &self.work
    }

    #[must_use]
    pub(super) fn with_config(mut self, setting: impl Into<String>) -> Self {
        self.config.push(setting.into());
        self
    }

    #[must_use]
    pub(super) fn with_environment(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// The command, in a process group of its own.
    pub(super) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new("/bin/sh");
        let blocks = self.limits.bytes / 512 + 1;
        let seconds = self.limits.time.as_secs() + ORPHANED;
        let bounds = [blocks, MEMORY, seconds].map(|bound| bound.to_string());
        command.args(["-c", BOUNDED]).args(bounds).arg(&self.program);
        let inherited = INHERITED.iter().filter_map(|&name| Some((name, std::env::var_os(name)?)));
        let quiet = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("LC_ALL", "C"),
        ];
        command.env_clear().envs(inherited).envs(quiet);
        command.env("HOME", &self.work).env("XDG_CONFIG_HOME", &self.work).env("TMPDIR", &self.work);
        command.env("GIT_DIR", self.work.join("repository"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(self.config.iter().flat_map(|setting| ["-c", setting])).args(arguments);
        command.current_dir(&self.work).process_group(0).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end, or to the end of what it may take; it and all that it started end with
    /// this future.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(Failure::Start)?;
        let group = Group::of(child.id());
        let (output, complaint) = (child.stdout.take(), child.stderr.take());
        let work =
            async { tokio::join!(read(output, MOST_OUTPUT), read(complaint, MOST_COMPLAINT), child.wait()) };
        let (output, complaint, status) = tokio::select! {
            done = work => done,
            () = self.outgrown() => return Err(Failure::TooLarge(self.limits)),
        };
        group.forget();
        if !status.map_err(Failure::Start)?.success() {
            let exceeded = EXCEEDED.iter().any(|sign| complaint.to_lowercase().contains(sign));
            return Err(if exceeded { Failure::TooLarge(self.limits) } else { Failure::Git(complaint) });
        }
        if output.len() as u64 >= MOST_OUTPUT {
            return Err(Failure::TooLarge(self.limits));
        }
        Ok(output)
    }

    /// Earlier versions don't know the settings that this module stands on.
    pub(super) async fn check_version(&self) -> Result<(), CodeError> {
        let text = self.run(&["version"]).await.map_err(Failure::local)?;
        let mut numbers = text.split([' ', '.']).filter_map(|word| word.trim().parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(major), Some(minor)) if (major, minor) >= (2, 37) => Ok(()),
            _ => Err(CodeError::Unavailable("this server's git is older than 2.37".into())),
        }
    }

    /// Whether what was fetched is within the limit.
    pub(super) fn check_size(&self) -> Result<(), CodeError> {
        if size(&self.work, self.limits.bytes) > self.limits.bytes {
            return Err(too_large(&self.limits));
        }
        Ok(())
    }

    /// Ends once the folder is larger than it may be.
    async fn outgrown(&self) {
        let mut ticks = tokio::time::interval(WATCH);
        loop {
            ticks.tick().await;
            let (work, most) = (self.work.clone(), self.limits.bytes);
            let grown = tokio::task::spawn_blocking(move || size(&work, most) > most).await;
            if grown.unwrap_or(false) {
                return;
            }
        }
    }
}

/// Reads to the end; what exceeds `most` is read and forgotten, so that the writer is not held up.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let kept = (&mut pipe).take(most).read_to_end(&mut bytes).await;
    if kept.is_ok() {
        // The command's status tells whether that was all.
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await.ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All files' sizes below a folder, looked at no further than to `most`. What vanishes meanwhile is nothing.
fn size(folder: &Path, most: u64) -> u64 {
    let mut sum = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => sum += found.len(),
                Err(_) => {}
            }
        }
        if sum > most {
            break;
        }
    }
    sum
}

/// A process and all that it started; killed when this goes.
struct Group(Option<Pid>);

impl Group {
    fn of(id: Option<u32>) -> Self {
        Self(id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// The process is over, and its number may be another's soon.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.map(|group| kill_process_group(group, Signal::KILL)) {
            tracing::debug!(%error, "a git that was to end had ended");
        }
    }
}
