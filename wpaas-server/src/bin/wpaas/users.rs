//! Users of a customer.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::{Done, Failure};
use crate::keys;
use crate::output::Column;
use crate::place::{org_id, space_id};
use crate::secret;

const COLUMNS: [Column; 6] = [
    ("USERNAME", "/username"),
    ("NAME", "/name"),
    ("EMAIL", "/email"),
    ("ENABLED", "/enabled"),
    ("CREATED", "/created_at"),
    ("ID", "/id"),
];

/// Of one user.
const DETAILS: [Column; 7] =
    [COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3], ("ROLES", "/roles"), COLUMNS[4], COLUMNS[5]];

/// `wpaas users`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The users that you may see
    List,
    /// One user
    Show {
        /// Its user name
        username: String,
    },
    /// Makes a user, with a first API key that is shown this once
    ///
    /// Example: wpaas users create dev --email dev@acme.example --space default --save-key dev.key
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Changes a user; roles that are given replace all that it had
    Update(Update),
    /// Deletes a user with its keys
    Delete {
        /// Its user name
        username: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

/// What a user may do, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Roles")]
pub struct Roles {
    /// The org of the spaces and of --org-role, by name or id
    #[arg(long, default_value = "default")]
    org: String,
    /// A role in the whole org
    #[arg(long, value_enum, value_name = "ROLE")]
    org_role: Option<OrgRole>,
    /// A space to have --role in, by name or id; any number of times
    #[arg(long = "space", value_name = "SPACE")]
    spaces: Vec<String>,
    /// The role in those spaces
    #[arg(long, value_enum, default_value_t = SpaceRole::Developer)]
    role: SpaceRole,
}

/// In an org.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OrgRole {
    /// Manages the org, its spaces and its sites
    Manager,
    /// Reads what is billed
    Billing,
    /// Reads all
    Auditor,
}

/// In a space.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SpaceRole {
    /// Manages the space and its sites
    Manager,
    /// Manages its sites
    Developer,
    /// Reads
    Viewer,
}

/// A new user.
#[derive(Debug, Args)]
pub struct Create {
    /// What it signs in with
    username: String,
    /// As people write it [default: the user name]
    #[arg(long)]
    name: Option<String>,
    /// Where it is reached
    #[arg(long)]
    email: String,
    /// A file with its password, or `-`; without, it has its API key only
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Writes its first API key into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save_key: Option<PathBuf>,
    #[command(flatten)]
    roles: Roles,
}

/// What to change.
#[derive(Debug, Args)]
pub struct Update {
    /// Its user name
    username: String,
    /// As people write it
    #[arg(long)]
    name: Option<String>,
    /// Where it is reached
    #[arg(long)]
    email: Option<String>,
    /// A file with its new password, or `-`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Whether its password and keys open anything
    #[arg(long)]
    enabled: Option<bool>,
    #[command(flatten)]
    roles: Roles,
}

impl Roles {
    /// As the API takes them; `None` where none is given.
    async fn resolve(&self, api: &Api) -> Result<Option<Value>, Failure> {
        if self.org_role.is_none() && self.spaces.is_empty() {
            return Ok(None);
        }
        let org = org_id(api, &self.org).await?;
        let mut roles = Vec::new();
        if let Some(role) = self.org_role {
            roles.push(json!({"scope": "org", "org": org, "role": word(&role)}));
        }
        for space in &self.spaces {
            let space = space_id(api, &org, space).await?;
            roles.push(json!({"scope": "space", "org": org, "space": space, "role": word(&self.role)}));
        }
        Ok(Some(roles.into()))
    }
}

/// A choice as it is written on the command line, which is as the API writes it.
fn word(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let cid = api.cid().await?;
        match self {
            Self::List => api.output.list(&COLUMNS, &api.list(&["users", &cid], &[]).await?),
            Self::Show { username } => {
                api.output.one(&DETAILS, &api.get(&["users", &cid, &username], &[]).await?)
            }
            Self::Create(create) => create.run(api, &cid).await,
            Self::Update(update) => update.run(api, &cid).await,
            Self::Delete { username, confirm } => {
                confirm.ask(&format!("Delete the user {username} with its keys"))?;
                let gone = api.call(Method::DELETE, &["users", &cid, &username], &[], None).await?;
                api.output.one(&DETAILS, &gone)
            }
        }
    }
}

impl Create {
    async fn run(self, api: &Api, cid: &str) -> Done {
        let Self { username, name, email, password_file, save_key, roles } = self;
        let name = name.unwrap_or_else(|| username.clone());
        let mut body = json!({"cid": cid, "username": username, "name": name, "email": email});
        if let Some(roles) = roles.resolve(api).await? {
            body["roles"] = roles;
        }
        secret::put(&mut body, "password", password_file.as_deref())?;
        let mut user = api.call(Method::POST, &["users"], &[], Some(body)).await?;
        keys::save(&mut user, "/api_key/key", save_key.as_deref())?;
        let columns =
            [&DETAILS[..], &[("API KEY", "/api_key/key"), ("EXPIRES", "/api_key/expires_at")]].concat();
        api.output.one(&columns, &user)
    }
}

impl Update {
    async fn run(self, api: &Api, cid: &str) -> Done {
        let Self { username, name, email, password_file, enabled, roles } = self;
        let mut body = json!({});
        for (field, value) in [("name", name), ("email", email)] {
            if let Some(value) = value {
                body[field] = json!(value);
            }
        }
        if let Some(enabled) = enabled {
            body["enabled"] = json!(enabled);
        }
        if let Some(roles) = roles.resolve(api).await? {
            body["roles"] = roles;
        }
        secret::put(&mut body, "password", password_file.as_deref())?;
        api.output.one(&DETAILS, &api.call(Method::PUT, &["users", cid, &username], &[], Some(body)).await?)
    }
}
