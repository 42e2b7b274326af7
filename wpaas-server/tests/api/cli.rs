//! `wpaas`, the command line, as a process of its own against a real server.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::harness::Api;

mod accounts;
mod domains;
mod errors;
mod sites;
mod sso;
mod webhooks;

/// Somebody at a terminal of their own, though not at a screen.
struct Person {
    home: TempDir,
    address: String,
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// Checks the exit code.
    #[track_caller]
    fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    /// Checks that each is on the standard output.
    #[track_caller]
    fn shows(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "no {text:?} in:\n{}", self.out);
        }
        self
    }

    /// Checks that each is on the standard error.
    #[track_caller]
    fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "no {text:?} in:\n{}", self.err);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not JSON: {}{}", self.out, self.err))
    }
}

impl Person {
    fn of(api: &Api) -> Self {
        Self { home: TempDir::new().unwrap(), address: format!("http://{}", api.server.address()) }
    }

    /// Signed in with a key.
    async fn with_key(api: &Api, key: &str) -> Self {
        let person = Self::of(api);
        let ran = person.run_with(&["login", "--key-file", "-"], key).await.is(0);
        assert!(!format!("{}{}", ran.out, ran.err).contains(key), "{ran:?}");
        person
    }

    fn kept(&self) -> PathBuf {
        self.home.path().join("config/wpaas/config.toml")
    }

    /// A file of this content, for a secret.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wpaas"));
        command.args(arguments).env_clear().env("HOME", self.home.path());
        command.env("XDG_CONFIG_HOME", self.home.path().join("config")).env("WPAAS_API", &self.address);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        ran(self.command(arguments).spawn().unwrap(), stdin).await
    }
}

async fn ran(mut child: Child, stdin: &str) -> Ran {
    let mut pipe = child.stdin.take().unwrap();
    // A command that reads nothing may have ended before.
    pipe.write_all(stdin.as_bytes()).await.ok();
    drop(pipe);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}
