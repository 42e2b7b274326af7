//! API keys of a user, or of the customer's own identity.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::Api;
use crate::ask::Confirm;
use crate::config::write_private;
use crate::failure::{Done, Failure};
use crate::output::Column;

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("LABEL", "/label"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
    ("REVOKED", "/revoked"),
];

/// `wpaas keys`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The keys, without what is secret of them
    List(Owner),
    /// One key, without what is secret of it
    Show(Which),
    /// Makes a key, shown this once
    ///
    /// Example: wpaas keys create --user dev --label ci --lifetime 30d --save-key ci.key
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Makes a new key in the place of one, which stays valid for a while
    Renew(Renew),
    /// Takes a key back at once
    Revoke(Revoke),
}

/// Whose keys.
#[derive(Debug, Args)]
pub struct Owner {
    /// The user [default: the customer's own identity]
    #[arg(long, value_name = "USERNAME")]
    user: Option<String>,
}

/// A key.
#[derive(Debug, Args)]
pub struct Which {
    /// The key's id
    id: String,
    #[command(flatten)]
    owner: Owner,
}

/// A new key.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    owner: Owner,
    /// What you call it
    #[arg(long, default_value = "")]
    label: String,
    /// How long it is valid, as 8h or 30d [default: the server's]
    #[arg(long)]
    lifetime: Option<String>,
    /// Writes the key into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save_key: Option<PathBuf>,
}

/// The next key.
#[derive(Debug, Args)]
pub struct Renew {
    #[command(flatten)]
    which: Which,
    /// Writes the key into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save_key: Option<PathBuf>,
}

/// A key less.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    confirm: Confirm,
}

impl Owner {
    async fn path(&self, api: &Api) -> Result<Vec<String>, Failure> {
        let cid = api.cid().await?;
        let path = match &self.user {
            Some(user) => vec!["users".to_owned(), cid, user.clone()],
            None => vec!["customers".to_owned(), cid],
        };
        Ok([path, vec!["keys".to_owned()]].concat())
    }

    async fn call(
        &self,
        api: &Api,
        method: Method,
        more: &[&str],
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let path = self.path(api).await?;
        let path: Vec<_> = path.iter().map(String::as_str).chain(more.iter().copied()).collect();
        api.call(method, &path, &[], body).await
    }
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List(owner) => {
                let path = owner.path(api).await?;
                let path: Vec<_> = path.iter().map(String::as_str).collect();
                api.output.list(&COLUMNS, &api.list(&path, &[]).await?)
            }
            Self::Show(Which { id, owner }) => {
                api.output.one(&COLUMNS, &owner.call(api, Method::GET, &[&id], None).await?)
            }
            Self::Create(Create { owner, label, lifetime, save_key }) => {
                let mut body = json!({"label": label});
                if let Some(lifetime) = lifetime {
                    body["lifetime"] = json!(lifetime);
                }
                let key = owner.call(api, Method::POST, &[], Some(body)).await?;
                show(api, key, save_key.as_deref())
            }
            Self::Renew(Renew { which: Which { id, owner }, save_key }) => {
                let key = owner.call(api, Method::POST, &[&id, "renew"], None).await?;
                show(api, key, save_key.as_deref())
            }
            Self::Revoke(Revoke { which: Which { id, owner }, confirm }) => {
                confirm.ask(&format!("Revoke the key {id}"))?;
                api.output.one(&COLUMNS, &owner.call(api, Method::DELETE, &[&id], None).await?)
            }
        }
    }
}

fn show(api: &Api, mut key: Value, file: Option<&Path>) -> Done {
    save(&mut key, "/key", file)?;
    api.output.one(&[&[("KEY", "/key")], &COLUMNS[..]].concat(), &key)
}

/// Moves a new key from the answer into a file of its own, if one is named.
pub fn save(answer: &mut Value, at: &str, file: Option<&Path>) -> Done {
    let Some(file) = file else { return Ok(()) };
    let key = answer.pointer_mut(at).map(Value::take);
    let Some(Value::String(key)) = key else { return Err(Failure::Other("no key came back".to_owned())) };
    write_private(file, &format!("{key}\n"))
}
