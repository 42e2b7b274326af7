//! The accounts at identity providers that sign the caller in.

use clap::{Args, Subcommand};
use reqwest::Method;

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::Done;
use crate::output::{self, Column};

const COLUMNS: [Column; 4] =
    [("ID", "/id"), ("PROVIDER", "/provider"), ("ACCOUNT", "/account"), ("LINKED", "/created_at")];

/// `wpaas logins`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The accounts that sign you in
    List,
    /// Lets an account sign you in no more, and ends your sessions; your keys stay
    Unlink(Unlink),
}

/// An account less.
#[derive(Debug, Args)]
pub struct Unlink {
    /// The account's id, as `list` shows it
    id: String,
    #[command(flatten)]
    confirm: Confirm,
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List => api.output.list(&COLUMNS, &api.list_whole(&["logins"]).await?),
            Self::Unlink(Unlink { id, confirm }) => {
                confirm.ask(&format!("Unlink the account {id}"))?;
                api.call(Method::DELETE, &["logins", &id], &[], None).await?;
                output::print("unlinked; your sessions have ended\n")
            }
        }
    }
}
