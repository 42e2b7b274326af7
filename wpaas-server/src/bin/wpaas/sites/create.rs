use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::autoscale::{Autoscale, BOUNDS, features};
use super::code::Code;
use super::hsts::{HSTS, Hsts};
use super::watch::Wait;
use super::{Which, accepted, preview};
use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::secret;

/// A new site.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wpaas sites create blog --wait                       stock WordPress; asks for the admin's password
  wpaas sites create shop --code https://github.com/acme/shop.git --ref main --instances 3 --database 3 \\
        --admin-password-file admin.txt --domain www.shop.example --label tier=gold
  pass show blog | wpaas sites create blog --admin-password-file - --dry-run")]
pub struct Create {
    #[command(flatten)]
    which: Which,
    /// The title of the WordPress site [default: the name]
    #[arg(long)]
    title: Option<String>,
    /// WordPress instances
    #[arg(long, value_name = "N")]
    instances: Option<u16>,
    /// Database instances, 1 or 3
    #[arg(long, value_name = "N")]
    database: Option<u8>,
    /// WordPress's first user
    #[arg(long, value_name = "USERNAME")]
    admin_username: Option<String>,
    /// Where that user is reached [default: the customer's address]
    #[arg(long, value_name = "EMAIL")]
    admin_email: Option<String>,
    /// A file with that user's password, or `-` [default: asks on a terminal]
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// A DNS name of your own; any number of times
    #[arg(long = "domain", value_name = "HOST")]
    domains: Vec<String>,
    /// The one of the domains that the others redirect to
    #[arg(long, value_name = "HOST")]
    primary_domain: Option<String>,
    /// `shared` has the site reached by its names at the edge, too [default: own]
    #[arg(long, value_name = "KIND", value_parser = ["own", "shared"])]
    address: Option<String>,
    /// For you and for filters; any number of times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Has the number of instances follow the load, between these bounds and with so many requests under way in each
    #[arg(long, value_name = BOUNDS)]
    autoscale: Option<Autoscale>,
    /// Whether, and for how long, browsers that have seen the site over HTTPS ask for it over nothing else; `on` is a year
    #[arg(long, value_name = HSTS)]
    hsts: Option<Hsts>,
    /// Refuses the site's deletion until that is taken back
    #[arg(long)]
    protect: bool,
    /// Shows what would be done, and does nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    code: Code,
    #[command(flatten)]
    wait: Wait,
}

/// `KEY=VALUE`.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Labels as the API takes them.
pub fn labels(of: Vec<(String, String)>) -> Value {
    of.into_iter().map(|(key, value)| (key, Value::String(value))).collect::<Map<_, _>>().into()
}

impl Create {
    /// Makes it.
    pub async fn run(self, api: &Api) -> Done {
        let target = self.which.target(api).await?;
        let (dry_run, wait) = (self.dry_run, self.wait);
        let body = self.body()?;
        let query = [("org", target.org.clone()), ("dry_run", dry_run.to_string())];
        let site = api.call(Method::POST, &["wpaas", &target.cid, &target.space], &query, Some(body)).await?;
        if dry_run {
            return preview(api.output, &site);
        }
        match wait.patience() {
            Some(patience) => wait.until_as_wanted(api, &target, &site, None, patience).await,
            None => accepted(api, &site, "is being made"),
        }
    }

    fn body(self) -> Result<Value, Failure> {
        let mut body = json!({
            "name": self.which.name,
            "domains": self.domains,
            "labels": labels(self.labels),
            "deletion_protection": self.protect,
        });
        let given = [
            ("title", self.title.map(Value::from)),
            ("features", features(self.autoscale, self.hsts)),
            ("num_instances", self.instances.map(Value::from)),
            ("database", self.database.map(|n| json!({"num_instances": n}))),
            ("admin_username", self.admin_username.map(Value::from)),
            ("admin_email", self.admin_email.map(Value::from)),
            ("code", self.code.over(None)?),
            ("primary_domain", self.primary_domain.map(Value::from)),
            ("address", self.address.map(Value::from)),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                body[field] = value;
            }
        }
        let asked = std::io::stdin().is_terminal().then_some(Path::new("-"));
        let file = self.admin_password_file.as_deref().or(asked);
        let file = file.ok_or_else(|| {
            Failure::Usage("the admin needs a password: --admin-password-file FILE".to_owned())
        })?;
        body["admin_password"] = secret::read(file, "Password of the site's admin")?.expose().into();
        Ok(body)
    }
}
