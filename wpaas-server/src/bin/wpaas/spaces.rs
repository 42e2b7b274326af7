//! Spaces of an org.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::Done;
use crate::output::Column;
use crate::place::org_id;
use crate::quota::Quota;

const COLUMNS: [Column; 6] = [
    ("NAME", "/name"),
    ("ID", "/id"),
    ("ORG", "/org_id"),
    ("DESCRIPTION", "/description"),
    ("QUOTA", "/quota"),
    ("CREATED", "/created_at"),
];

/// `wpaas spaces`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The spaces that you may see
    List(In),
    /// One space
    Show(Which),
    /// Makes a space
    ///
    /// Example: wpaas spaces create staging --org shop --max-sites 3
    #[command(verbatim_doc_comment)]
    Create(Change),
    /// Changes a space
    Update(Change),
    /// Deletes a space that is empty, or with --recursive all that is in it
    Delete(Delete),
}

/// Where.
#[derive(Debug, Args)]
pub struct In {
    /// The org, by name or id
    #[arg(long, default_value = "default")]
    org: String,
}

/// A space.
#[derive(Debug, Args)]
pub struct Which {
    /// Its name
    name: String,
    #[command(flatten)]
    place: In,
}

/// What it is to be.
#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    which: Which,
    /// For people
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    quota: Quota,
}

/// What to delete.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    which: Which,
    /// With all sites in it
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    confirm: Confirm,
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List(place) => {
                let org = org_id(api, &place.org).await?;
                api.output.list(&COLUMNS, &api.list(&["spaces", &org], &[]).await?)
            }
            Self::Show(Which { name, place }) => {
                let org = org_id(api, &place.org).await?;
                api.output.one(&COLUMNS, &api.get(&["spaces", &org, &name], &[]).await?)
            }
            Self::Create(change) => change.create(api).await,
            Self::Update(change) => change.update(api).await,
            Self::Delete(Delete { which: Which { name, place }, recursive, confirm }) => {
                let what = if recursive { " with all its sites" } else { "" };
                confirm.ask(&format!("Delete the space {name} of the org {}{what}", place.org))?;
                let org = org_id(api, &place.org).await?;
                let query = [("recursive", recursive.to_string())];
                let gone = api.call(Method::DELETE, &["spaces", &org, &name], &query, None).await?;
                api.output.one(&COLUMNS, &gone)
            }
        }
    }
}

impl Change {
    async fn create(self, api: &Api) -> Done {
        let Self { which: Which { name, place }, description, quota } = self;
        let org = org_id(api, &place.org).await?;
        let quota = quota.over(None).unwrap_or(json!({}));
        let body = json!({"org_id": org, "name": name, "description": description.unwrap_or_default(), "quota": quota});
        api.output.one(&COLUMNS, &api.call(Method::POST, &["spaces"], &[], Some(body)).await?)
    }

    async fn update(self, api: &Api) -> Done {
        let Self { which: Which { name, place }, description, quota } = self;
        let org = org_id(api, &place.org).await?;
        let path = ["spaces", &org, &name];
        let mut body = json!({});
        if let Some(description) = description {
            body["description"] = json!(description);
        }
        if quota.is_given() {
            body["quota"] = json!(quota.over(api.get(&path, &[]).await?.get("quota")));
        }
        api.output.one(&COLUMNS, &api.call(Method::PUT, &path, &[], Some(body)).await?)
    }
}
