use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::autoscale::{Autoscale, BOUNDS, features};
use super::code::Code;
use super::create::{label, labels};
use super::hsts::{HSTS, Hsts};
use super::watch::Wait;
use super::{Target, Which, accepted, preview};
use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::secret;

/// How many run.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wpaas sites scale blog --instances 4 --database 3 --wait")]
pub struct Scale {
    #[command(flatten)]
    which: Which,
    /// WordPress instances; 0 lets the site rest
    #[arg(long, value_name = "N", required_unless_present = "database")]
    instances: Option<u16>,
    /// Database instances, 1 or 3
    #[arg(long, value_name = "N")]
    database: Option<u8>,
    #[command(flatten)]
    how: How,
}

/// What is served.
#[derive(Debug, Args)]
#[command(after_help = "\
The site goes on with what it serves until the new code is fetched, checked and serves.

Examples:
  wpaas sites deploy blog --ref v1.2.0 --wait      another ref of the same repository, or what it has become
  wpaas sites deploy blog                          what the branch has become since")]
pub struct Deploy {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    code: Code,
    #[command(flatten)]
    how: How,
}

/// What else can be changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Domains and labels that are given replace all that there were; `--domain none` leaves no domain."
)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    /// The title of the WordPress site
    #[arg(long)]
    title: Option<String>,
    /// A file with a new password for the site's admin, or `-`
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// A DNS name of your own; any number of times; `none` takes all away
    #[arg(long = "domain", value_name = "HOST")]
    domains: Vec<String>,
    /// The one of the domains that the others redirect to; `none` ends that
    #[arg(long, value_name = "HOST")]
    primary_domain: Option<String>,
    /// Whether the site is reached by its names at the edge, too
    #[arg(long, value_name = "KIND", value_parser = ["own", "shared"])]
    address: Option<String>,
    /// For you and for filters; any number of times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Whether the number of instances follows the load, or between which bounds and with how many requests under way
    /// in each
    #[arg(long, value_name = BOUNDS)]
    autoscale: Option<Autoscale>,
    /// Whether, and for how long, browsers that have seen the site over HTTPS ask for it over nothing else; `on` is a year
    #[arg(long, value_name = HSTS)]
    hsts: Option<Hsts>,
    /// Whether the site's deletion is refused
    #[arg(long)]
    protect: Option<bool>,
    #[command(flatten)]
    how: How,
}

/// How a change is made.
#[derive(Debug, Args)]
pub struct How {
    /// Shows what would be done, and does nothing
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    #[command(flatten)]
    wait: Wait,
}

impl How {
    /// The query that says so.
    pub fn query(&self) -> [(&'static str, String); 1] {
        [("dry_run", self.dry_run.to_string())]
    }

    async fn put(self, api: &Api, target: &Target, body: Value, what: &str, code: Before) -> Done {
        let site = target.call(api, Method::PUT, &[], &self.query(), Some(body)).await?;
        self.done(api, target, &site, what, code).await
    }

    /// Ends a command whose change was accepted.
    pub async fn done(self, api: &Api, target: &Target, site: &Value, what: &str, code: Before) -> Done {
        if self.dry_run {
            return preview(api.output, site);
        }
        match self.wait.patience() {
            Some(patience) => {
                self.wait.until_as_wanted(api, target, site, code.awaited(site), patience).await
            }
            None => accepted(api, site, what),
        }
    }
}

/// The site's generation before its code was changed; none where the code is not touched.
pub struct Before(Option<u64>);

impl Before {
    /// Nothing is fetched.
    pub const fn none() -> Self {
        Self(None)
    }

    /// The generation that a release must be of: a change that changed nothing makes no release.
    fn awaited(&self, site: &Value) -> Option<u64> {
        let now = site.get("generation")?.as_u64()?;
        (now > self.0?).then_some(now)
    }
}

impl Scale {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self { which, instances, database, how } = self;
        let target = which.target(api).await?;
        let mut body = json!({});
        if let Some(n) = instances {
            body["num_instances"] = json!(n);
        }
        if let Some(n) = database {
            body["database"] = json!({"num_instances": n});
        }
        how.put(api, &target, body, "is being scaled", Before(None)).await
    }
}

impl Deploy {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self { which, code, how } = self;
        let target = which.target(api).await?;
        let site = target.get(api).await?;
        let before = Before(site.get("generation").and_then(Value::as_u64));
        let what = "its code is being fetched";
        if code.is_given() {
            let body = json!({"code": code.over(site.pointer("/spec/code"))?});
            let site = target.call(api, Method::PUT, &[], &how.query(), Some(body)).await?;
            // Code that is wanted already is deployed as it has become since.
            if how.dry_run || before.awaited(&site).is_some() {
                return how.done(api, &target, &site, what, before).await;
            }
        }
        if how.dry_run {
            return Err(Failure::Usage(
                "--dry-run needs --code or --ref: only a fetch tells what a branch is".to_owned(),
            ));
        }
        let site = target.call(api, Method::POST, &["releases"], &[], None).await?;
        how.done(api, &target, &site, what, before).await
    }
}

/// The domains as the API takes them; `None` where nothing is said of them.
fn wanted(domains: &[String]) -> Option<Value> {
    match domains {
        [] => None,
        [none] if none == "none" => Some(json!([])),
        some => Some(json!(some)),
    }
}

impl Update {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let Self {
            which,
            title,
            admin_password_file,
            domains,
            primary_domain,
            address,
            labels: tags,
            autoscale,
            hsts,
            protect,
            how,
        } = self;
        let target = which.target(api).await?;
        let given = [
            ("title", title.map(Value::from)),
            ("domains", wanted(&domains)),
            (
                "primary_domain",
                primary_domain.map(|host| if host == "none" { Value::Null } else { host.into() }),
            ),
            ("address", address.map(Value::from)),
            ("labels", (!tags.is_empty()).then(|| labels(tags))),
            ("features", features(autoscale, hsts)),
            ("deletion_protection", protect.map(Value::from)),
        ];
        let mut body = json!({});
        for (field, value) in given {
            if let Some(value) = value {
                body[field] = value;
            }
        }
        secret::put(&mut body, "admin_password", admin_password_file.as_deref())?;
        how.put(api, &target, body, "is being changed", Before(None)).await
    }
}
