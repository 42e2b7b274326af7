//! Where the API is and who asks: flags, then the environment, then what `login` kept.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::secret::{self, Secret};

/// Where a server is when nobody says: where `wpaas-server` listens without configuration.
const DEFAULT_API: &str = "http://127.0.0.1:8080";

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The server's address (default: what `login` kept, else <http://127.0.0.1:8080>)
    #[arg(long, global = true, env = "WPAAS_API", value_name = "URL")]
    api: Option<String>,
    /// A file with the API key, or `-`; `WPAAS_TOKEN` holds the key itself [default: what `login` kept]
    #[arg(long, global = true, env = "WPAAS_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The customer's id [default: your own]
    #[arg(long, global = true, env = "WPAAS_CID")]
    cid: Option<String>,
    /// How to print
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// What `login` writes and the others read [default: ~/.config/wpaas/config.toml]
    #[arg(long, global = true, env = "WPAAS_CLI_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What is kept between commands.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The server's address.
    pub api: String,
    /// The key.
    pub token: Secret,
    /// Whom the key belongs to; none for the operator's.
    pub cid: Option<String>,
}

/// What a command goes by.
#[derive(Debug)]
pub struct Resolved {
    /// The server's address.
    pub api: String,
    /// The key.
    pub token: Option<Secret>,
    /// The customer's id.
    pub cid: Option<String>,
}

impl Global {
    /// A key that was kept goes to the server that it was kept for, and to no other.
    pub fn resolve(&self) -> Result<Resolved, Failure> {
        let kept = self.load()?;
        let api = self.api.clone().or_else(|| kept.as_ref().map(|kept| kept.api.clone()));
        let api = api.unwrap_or_else(|| DEFAULT_API.to_owned());
        let (kept_token, kept_cid) = match kept {
            Some(kept) if same(&kept.api, &api) => (Some(kept.token), kept.cid),
            _ => (None, None),
        };
        let given = self.given_token()?;
        let cid = self.cid.clone().or(if given.is_none() { kept_cid } else { None });
        Ok(Resolved { api, token: given.or(kept_token), cid })
    }

    /// Without what was kept.
    pub fn for_login(&self) -> Resolved {
        let api = self.api.clone().unwrap_or_else(|| DEFAULT_API.to_owned());
        Resolved { api, token: None, cid: self.cid.clone() }
    }

    fn given_token(&self) -> Result<Option<Secret>, Failure> {
        if let Some(file) = &self.token_file {
            return secret::read(file, "API key").map(Some);
        }
        Ok(std::env::var("WPAAS_TOKEN").ok().filter(|token| !token.is_empty()).map(Secret::new))
    }

    /// The file that is read and written.
    pub fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.config {
            return Ok(file.clone());
        }
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
        let config = config.ok_or_else(|| Failure::Usage("no HOME: give --config".to_owned()))?;
        Ok(config.join("wpaas/config.toml"))
    }

    fn load(&self) -> Result<Option<Kept>, Failure> {
        let file = self.file()?;
        match fs::read_to_string(&file) {
            Ok(text) => {
                warn_if_readable(&file);
                // The parser's own message would repeat the line, and with it the key.
                let kept = toml::from_str(&text).map_err(|error| unreadable(&file, &error))?;
                Ok(Some(kept))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::Other(format!("{}: {error}", file.display()))),
        }
    }

    /// Replaces what is kept.
    pub fn keep(&self, kept: &Kept) -> Result<PathBuf, Failure> {
        let file = self.file()?;
        let text = toml::to_string(kept).map_err(|error| Failure::Other(error.to_string()))?;
        write_private(&file, &text)?;
        Ok(file)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

fn unreadable(file: &Path, error: &toml::de::Error) -> Failure {
    Failure::Other(format!("{}: {}: sign in again with `wpaas login`", file.display(), error.message()))
}

fn warn_if_readable(file: &Path) {
    let mode = fs::metadata(file).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        eprintln!("warning: others can read your key: chmod 600 {}", file.display());
    }
}

/// Writes a file that only its owner can read, at no moment by anybody else; whole or not at all.
pub fn write_private(file: &Path, text: &str) -> Done {
    let failed = |error: std::io::Error| Failure::Other(format!("{}: {error}", file.display()));
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::create_dir_all(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let mut new = file.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut open = options.write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    open.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, file)).map_err(failed)
}
