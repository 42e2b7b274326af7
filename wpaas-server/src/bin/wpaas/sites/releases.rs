use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::change::{Before, How};
use super::{Target, Which};
use crate::api::Api;
use crate::failure::Done;
use crate::output::{self, Column, Output};

const COLUMNS: [Column; 6] = [
    ("RELEASE", "/id"),
    ("STATE", "/state"),
    ("REVISION", "/revision"),
    ("WORDPRESS", "/wordpress_version"),
    ("MADE", "/created_at"),
    ("WHY", "/reason"),
];

/// What to go back to.
#[derive(Debug, Args)]
#[command(after_help = "\
The broken release takes no part in it: nodes of the kept one start, and visitors are sent there.
The database stays as it is, unless it is to go back, too: to the dump that was taken before a later release
changed its schema. What was written since is then in another dump only, beside the site's uploads.

Examples:
  wpaas sites rollback blog --wait                the release that served before
  wpaas sites rollback blog --with-database       and its database, if its schema was changed since
  wpaas sites rollback blog --release rel_0190…   any that `wpaas sites releases blog` shows as kept")]
pub struct Rollback {
    #[command(flatten)]
    which: Which,
    /// To this one
    #[arg(long, value_name = "ID")]
    release: Option<String>,
    /// Restore the database's dump of that time, too
    #[arg(long)]
    with_database: bool,
    #[command(flatten)]
    how: How,
}

/// Prints a site's releases.
pub async fn list(api: &Api, which: &Which) -> Done {
    let target = which.target(api).await?;
    let answer = target.call(api, Method::GET, &["releases"], &[], None).await?;
    if api.output == Output::Json {
        return output::json(&answer);
    }
    let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    api.output.list(&COLUMNS, &items)
}

impl Rollback {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self { which, release, with_database, how } = self;
        let target: Target = which.target(api).await?;
        let body = release.map_or_else(|| json!({}), |release| json!({"release": release}));
        let mut query = how.query().to_vec();
        if with_database {
            query.push(("with_database", "true".to_owned()));
        }
        let site = target.call(api, Method::POST, &["rollback"], &query, Some(body)).await?;
        how.done(api, &target, &site, "goes back to a release that served before", Before::none()).await
    }
}
