//! Webhooks, for the operator.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::ask::Confirm;
use crate::failure::Done;
use crate::keys::save;
use crate::output::{Column, Output};

const COLUMNS: [Column; 6] = [
    ("ID", "/id"),
    ("URL", "/url"),
    ("KINDS", "/kinds"),
    ("ENABLED", "/enabled"),
    ("AFTER", "/delivery/after"),
    ("FAILURES", "/delivery/failures"),
];

const MORE: [Column; 6] = [
    ("DESCRIPTION", "/description"),
    ("DISABLED BECAUSE", "/disabled_reason"),
    ("FAILING SINCE", "/delivery/failing_since"),
    ("NEXT TRY", "/delivery/next_at"),
    ("FORMER SECRET UNTIL", "/former_secret_until"),
    ("CREATED", "/created_at"),
];

const ATTEMPTS: [Column; 4] = [("AT", "/at"), ("SEQ", "/seq"), ("STATUS", "/status"), ("ERROR", "/error")];

/// `wpaas webhooks`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// All webhooks, and how far each is
    List,
    /// One webhook with its last attempts
    Show(Which),
    /// Makes a webhook; its secret is shown this once
    #[command(after_help = "\
Example:
  wpaas webhooks create https://ops.example.com/hook --kind site_condition_changed --save-secret hook.secret")]
    Create(Create),
    /// Changes a webhook; one that is enabled again goes on where it was
    Update(Update),
    /// Gives it a new secret, beside which the old one signs for a while
    Renew(Renew),
    /// Begins again at an event, or passes over those before it
    Replay(Replay),
    /// Deletes a webhook: what it has not told is not told any more
    Delete(Delete),
}

/// A webhook.
#[derive(Debug, Args)]
pub struct Which {
    /// Its id
    id: String,
}

/// A new webhook.
#[derive(Debug, Args)]
pub struct Create {
    /// Where events are posted
    url: String,
    /// Of this kind only, as `site_created`; may be given again [default: all]
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// For people
    #[arg(long, default_value = "")]
    description: String,
    /// Sends nothing until it is enabled
    #[arg(long)]
    disabled: bool,
    /// Writes the secret into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save_secret: Option<PathBuf>,
}

/// What to change.
#[derive(Debug, Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    /// Where events are posted
    #[arg(long)]
    url: Option<String>,
    /// Of this kind only from now on; may be given again
    #[arg(long = "kind", value_name = "KIND", conflicts_with = "all_kinds")]
    kinds: Option<Vec<String>>,
    /// Of all kinds from now on
    #[arg(long)]
    all_kinds: bool,
    /// For people
    #[arg(long)]
    description: Option<String>,
    /// Whether anything is sent
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

/// The next secret.
#[derive(Debug, Args)]
pub struct Renew {
    #[command(flatten)]
    which: Which,
    /// Writes the secret into a new file instead of showing it
    #[arg(long, value_name = "FILE")]
    save_secret: Option<PathBuf>,
}

/// Where to begin.
#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    which: Which,
    /// The number of the event to tell next
    #[arg(long, value_name = "SEQ")]
    from: u64,
}

/// What to delete.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    confirm: Confirm,
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List => api.output.list(&COLUMNS, &api.list(&["webhooks"], &[]).await?),
            Self::Show(Which { id }) => {
                let webhook = api.get(&["webhooks", &id], &[]).await?;
                shown(api, &webhook)?;
                let attempts = webhook.pointer("/delivery/attempts").and_then(Value::as_array);
                match attempts.filter(|all| api.output == Output::Table && !all.is_empty()) {
                    Some(attempts) => api.output.list(&ATTEMPTS, attempts),
                    None => Ok(()),
                }
            }
            Self::Create(Create { url, kinds, description, disabled, save_secret }) => {
                let body =
                    json!({"url": url, "kinds": kinds, "description": description, "enabled": !disabled});
                let webhook = api.call(Method::POST, &["webhooks"], &[], Some(body)).await?;
                keyed(api, webhook, save_secret.as_deref())
            }
            Self::Update(update) => update.run(api).await,
            Self::Renew(Renew { which: Which { id }, save_secret }) => {
                let webhook = api.call(Method::POST, &["webhooks", &id, "renew"], &[], None).await?;
                keyed(api, webhook, save_secret.as_deref())
            }
            Self::Replay(Replay { which: Which { id }, from }) => {
                let from = [("from", from.to_string())];
                shown(api, &api.call(Method::POST, &["webhooks", &id, "replay"], &from, None).await?)
            }
            Self::Delete(Delete { which: Which { id }, confirm }) => {
                confirm.ask(&format!("Delete the webhook {id}"))?;
                api.call(Method::DELETE, &["webhooks", &id], &[], None).await.map(drop)
            }
        }
    }
}

impl Update {
    async fn run(self, api: &Api) -> Done {
        let Self { which: Which { id }, url, kinds, all_kinds, description, enabled } = self;
        let kinds = if all_kinds { Some(Vec::new()) } else { kinds };
        let fields = [
            ("url", url.map(Value::from)),
            ("kinds", kinds.map(Value::from)),
            ("description", description.map(Value::from)),
            ("enabled", enabled.map(Value::from)),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let body = Value::Object(fields.collect::<Map<_, _>>());
        shown(api, &api.call(Method::PUT, &["webhooks", &id], &[], Some(body)).await?)
    }
}

fn shown(api: &Api, webhook: &Value) -> Done {
    api.output.one(&[&COLUMNS[..], &MORE[..]].concat(), webhook)
}

fn keyed(api: &Api, mut webhook: Value, file: Option<&Path>) -> Done {
    save(&mut webhook, "/secret", file)?;
    api.output.one(&[&[("SECRET", "/secret")], &COLUMNS[..]].concat(), &webhook)
}
