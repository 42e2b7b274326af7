//! Signing in and out.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, Credential};
use crate::config::{Global, Kept, Resolved};
use crate::failure::{Done, Failure};
use crate::output;
use crate::secret::{self, Secret};
use crate::sso;

/// `wpaas login`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wpaas login --api https://wpaas.example.com                  asks for an API key
  wpaas login --key-file key.txt                               at http://127.0.0.1:8080
  wpaas login --key-file .wpaas/data/operator-token            as the operator
  wpaas login --username acm/dev                               asks for the password, and makes a key
  wpaas login --username owner@example.com --password-file -   the customer itself, from a pipe
  wpaas login --sso google                                     with a browser on this machine
  wpaas login --sso google --link                              lets that account sign you in from now on")]
pub struct Login {
    /// A file with the API key, or `-` [default: asks on a terminal]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["username", "password_file"])]
    key_file: Option<PathBuf>,
    /// Makes a key with a password: CID/USERNAME for a user, USERNAME for the customer itself
    #[arg(long, short)]
    username: Option<String>,
    /// A file with the password, or `-` [default: asks on a terminal]
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// Signs in with a browser, at this identity provider; `--cid` for a user who was invited and comes for the first
    /// time
    #[arg(long, value_name = "PROVIDER", conflicts_with_all = ["key_file", "username", "password_file"])]
    sso: Option<String>,
    /// Links the account at the provider to whoever is signed in, and signs nobody in
    #[arg(long, requires = "sso")]
    link: bool,
    /// How long the key that is made shall be valid, as 8h or 30d [default: the server's]
    #[arg(long, requires = "username")]
    lifetime: Option<String>,
}

impl Login {
    /// Checks the key, or makes one, and keeps it.
    pub async fn run(self, global: &Global) -> Done {
        if let (Some(provider), true) = (&self.sso, self.link) {
            return link(global, provider).await;
        }
        let Resolved { api: address, cid, .. } = global.for_login();
        let token = match (&self.sso, &self.username) {
            (Some(provider), _) => sso::token(global, &address, cid.as_deref(), provider).await?,
            (None, Some(username)) => self.make_key(global, &address, cid.clone(), username).await?,
            (None, None) => secret::read(self.key_file.as_deref().unwrap_or(Path::new("-")), "API key")?,
        };
        let api = Api::at(&address, Credential::Token(token.clone()), cid, global.output)?;
        let (who, cid) = whose(&api).await?;
        let file = global.keep(&Kept { api: address.clone(), token, cid: cid.clone() })?;
        if api.output == output::Output::Json {
            return output::json(&json!({"api": address, "cid": cid, "file": file}));
        }
        output::print(&format!("signed in at {address} {who}; the key is in {}\n", file.display()))
    }

    async fn make_key(
        &self,
        global: &Global,
        address: &str,
        cid: Option<String>,
        username: &str,
    ) -> Result<Secret, Failure> {
        let password = secret::read(self.password_file.as_deref().unwrap_or(Path::new("-")), "Password")?;
        let api = Api::at(address, Credential::Password(username.to_owned(), password), cid, global.output)?;
        let own = api.cid().await;
        let path = match username.split_once('/') {
            Some((cid, name)) => {
                ["users".to_owned(), cid.to_owned(), name.to_owned(), "keys".to_owned()].to_vec()
            }
            None => ["customers".to_owned(), own?, "keys".to_owned()].to_vec(),
        };
        let path: Vec<_> = path.iter().map(String::as_str).collect();
        let mut body = json!({"label": "wpaas login"});
        if let Some(lifetime) = &self.lifetime {
            body["lifetime"] = json!(lifetime);
        }
        let key = api.call(Method::POST, &path, &[], Some(body)).await?;
        let text = key.get("key").and_then(Value::as_str);
        text.map(|text| Secret::new(text.to_owned()))
            .ok_or_else(|| Failure::Other("no key came back".to_owned()))
    }
}

async fn link(global: &Global, provider: &str) -> Done {
    let api = Api::new(global)?;
    let ticket = sso::ticket(global, provider).await?;
    let linked = api.call(Method::POST, &["logins"], &[], Some(json!({"ticket": ticket.expose()}))).await?;
    if api.output == output::Output::Json {
        return output::json(&linked);
    }
    output::print(&format!("{} signs you in from now on\n", output::cell(&linked, "/account")))
}

/// Who a key speaks for: only the operator may list customers, everybody else belongs to one.
async fn whose(api: &Api) -> Result<(String, Option<String>), Failure> {
    match api.get(&["customers"], &[("limit", "1".to_owned())]).await {
        Ok(_) => Ok(("as the operator".to_owned(), None)),
        Err(Failure::Refused(problem)) if matches!(problem.status, 403 | 404) => {
            let cid = api.cid().await?;
            Ok((format!("for customer {cid}"), Some(cid)))
        }
        Err(other) => Err(other),
    }
}

/// `wpaas logout`.
pub fn forget(global: &Global) -> Done {
    let file = global.file()?;
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::Other(format!("{}: {error}", file.display())))
        }
        _ => {
            output::print("forgotten; revoke the key with `wpaas keys revoke` if it may be known to others\n")
        }
    }
}
