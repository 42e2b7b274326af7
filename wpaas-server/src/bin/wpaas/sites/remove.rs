use clap::Args;
use reqwest::Method;

use super::watch::Wait;
use super::{Which, accepted, preview};
use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::Done;

/// What to delete.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wpaas sites delete blog                    what runs goes; data, address and name stay for the grace period
  wpaas sites delete blog --grace 0 --yes --wait    all of it, at once and for ever")]
pub struct Delete {
    #[command(flatten)]
    which: Which,
    /// How long it can be restored, as 7d, 12h or 0 [default: the server's]
    #[arg(long)]
    grace: Option<String>,
    /// Shows what would be done, and does nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    wait: Wait,
}

/// What to bring back.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    wait: Wait,
}

impl Delete {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self { which, grace, dry_run, confirm, wait } = self;
        if !dry_run {
            confirm.ask(&format!(
                "Delete the site {} in {}/{}",
                which.name, which.place.org, which.place.space
            ))?;
        }
        let target = which.target(api).await?;
        let mut query = vec![("dry_run", dry_run.to_string())];
        query.extend(grace.map(|grace| ("grace", grace)));
        let site = target.call(api, Method::DELETE, &[], &query, None).await?;
        if dry_run {
            return preview(api.output, &site);
        }
        match wait.patience() {
            Some(patience) => wait.until_gone(api, &target, site, patience).await,
            None => accepted(api, &site, "is being deleted"),
        }
    }
}

impl Restore {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self { which, wait } = self;
        let target = which.target(api).await?;
        let site = target.call(api, Method::POST, &["restore"], &[], None).await?;
        match wait.patience() {
            Some(patience) => wait.until_as_wanted(api, &target, &site, None, patience).await,
            None => accepted(api, &site, "is being restored"),
        }
    }
}
