//! Orgs of a customer.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::Done;
use crate::output::Column;
use crate::quota::Quota;

const COLUMNS: [Column; 5] = [
    ("NAME", "/name"),
    ("ID", "/id"),
    ("DESCRIPTION", "/description"),
    ("QUOTA", "/quota"),
    ("CREATED", "/created_at"),
];

/// `wpaas orgs`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The orgs that you may see
    List,
    /// One org
    Show {
        /// Its name
        name: String,
    },
    /// Makes an org
    ///
    /// Example: wpaas orgs create shop --space staging --space live --max-sites 10
    #[command(verbatim_doc_comment)]
    Create(Create),
    /// Changes an org
    Update(Update),
    /// Deletes an org that is empty, or with --recursive all that is in it
    Delete(Delete),
}

/// A new org.
#[derive(Debug, Args)]
pub struct Create {
    /// Its name: letters a to z, digits and hyphens; it can't be changed
    name: String,
    /// For people
    #[arg(long, default_value = "")]
    description: String,
    /// A space to make in it, any number of times
    #[arg(long = "space", value_name = "NAME")]
    spaces: Vec<String>,
    #[command(flatten)]
    quota: Quota,
}

/// What to change.
#[derive(Debug, Args)]
pub struct Update {
    /// Its name
    name: String,
    /// For people
    #[arg(long)]
    description: Option<String>,
    /// Which of the customer's payment accounts it is billed to; `-` for the customer's own
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    payment_account: Option<String>,
    #[command(flatten)]
    quota: Quota,
}

/// What to delete.
#[derive(Debug, Args)]
pub struct Delete {
    /// Its name
    name: String,
    /// With all spaces and sites in it
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    confirm: Confirm,
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let cid = api.cid().await?;
        match self {
            Self::List => api.output.list(&COLUMNS, &api.list(&["orgs", &cid], &[]).await?),
            Self::Show { name } => api.output.one(&COLUMNS, &api.get(&["orgs", &cid, &name], &[]).await?),
            Self::Create(Create { name, description, spaces, quota }) => {
                let quota = quota.over(None).unwrap_or(json!({}));
                let body = json!({"cid": cid, "name": name, "description": description, "spaces": spaces, "quota": quota});
                api.output.one(&COLUMNS, &api.call(Method::POST, &["orgs"], &[], Some(body)).await?)
            }
            Self::Update(update) => update.run(api, &cid).await,
            Self::Delete(Delete { name, recursive, confirm }) => {
                let what = if recursive { " with all its spaces and sites" } else { "" };
                confirm.ask(&format!("Delete the org {name}{what}"))?;
                let query = [("recursive", recursive.to_string())];
                let gone = api.call(Method::DELETE, &["orgs", &cid, &name], &query, None).await?;
                api.output.one(&COLUMNS, &gone)
            }
        }
    }
}

impl Update {
    async fn run(self, api: &Api, cid: &str) -> Done {
        let Self { name, description, payment_account, quota } = self;
        let path = ["orgs", cid, &name];
        let mut body = json!({});
        if let Some(description) = description {
            body["description"] = json!(description);
        }
        if let Some(account) = payment_account {
            body["payment_account"] = json!(Some(account).filter(|account| account != "-"));
        }
        if quota.is_given() {
            body["quota"] = json!(quota.over(api.get(&path, &[]).await?.get("quota")));
        }
        api.output.one(&COLUMNS, &api.call(Method::PUT, &path, &[], Some(body)).await?)
    }
}
