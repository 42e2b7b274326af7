//! Sites.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::output::{self, Column, Output, cell};
use crate::place::Place;

mod autoscale;
mod change;
mod code;
mod create;
mod hsts;
mod progress;
mod releases;
mod remove;
mod show;
mod standing;
mod watch;

const COLUMNS: [Column; 7] = [
    ("NAME", "/name"),
    ("STATUS", "/status/phase"),
    ("INSTANCES", "/num_instances"),
    ("WANTED", "/expected_num_instances"),
    ("URL", "/status/url"),
    ("CODE", "/code_url"),
    ("CREATED", "/created_at"),
];

/// `wpaas sites`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The sites of a space
    List(List),
    /// One site: what is wanted, what runs, and why it waits
    Show(Which),
    /// Makes a site
    Create(create::Create),
    /// Shows a site's progress until it is as wanted
    Watch(watch::Watch),
    /// Changes how many instances run
    Scale(change::Scale),
    /// Serves other code, or what its branch has become
    Deploy(change::Deploy),
    /// What its code was, and which of it serves
    Releases(Which),
    /// Serves what served before, within seconds
    Rollback(releases::Rollback),
    /// Changes title, domains, labels, password, autoscaling and protection
    Update(change::Update),
    /// Deletes a site; within a grace period it can be restored
    Delete(remove::Delete),
    /// Takes a deletion back
    Restore(remove::Restore),
}

/// Which sites.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wpaas sites list --space live --status degraded --label tier=gold")]
pub struct List {
    #[command(flatten)]
    place: Place,
    /// Of this name only
    #[arg(long)]
    name: Option<String>,
    /// In this state only: unknown, progressing, ready, degraded, suspended or deleting
    #[arg(long)]
    status: Option<String>,
    /// With this label only, as `tier=gold` or `tier`; any number of times
    #[arg(long = "label", value_name = "KEY[=VALUE]")]
    labels: Vec<String>,
}

/// A site, by name.
#[derive(Debug, Args)]
pub struct Which {
    /// Its name
    pub name: String,
    #[command(flatten)]
    pub place: Place,
}

/// Where a site is in the API.
#[derive(Debug, Clone)]
pub struct Target {
    cid: String,
    org: String,
    space: String,
    name: String,
}

impl Which {
    /// With the customer that it belongs to.
    pub async fn target(&self, api: &Api) -> Result<Target, Failure> {
        let Self { name, place: Place { org, space } } = self;
        let cid = api.cid().await?;
        Ok(Target { cid, org: org.clone(), space: space.clone(), name: name.clone() })
    }
}

impl Target {
    /// The site.
    pub async fn get(&self, api: &Api) -> Result<Value, Failure> {
        self.call(api, Method::GET, &[], &[], None).await
    }

    /// Does something to the site.
    pub async fn call(
        &self,
        api: &Api,
        method: Method,
        verb: &[&str],
        more: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut path = vec!["wpaas", &self.cid, &self.space, &self.name];
        path.extend(verb);
        let query = [&[("org", self.org.clone())], more].concat();
        api.call(method, &path, &query, body).await
    }
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        match self {
            Self::List(list) => list.run(api).await,
            Self::Show(which) => show::show(api.output, &which.target(api).await?.get(api).await?),
            Self::Create(create) => create.run(api).await,
            Self::Watch(watch) => watch.run(api).await,
            Self::Scale(scale) => scale.run(api).await,
            Self::Deploy(deploy) => deploy.run(api).await,
            Self::Releases(which) => releases::list(api, &which).await,
            Self::Rollback(rollback) => rollback.run(api).await,
            Self::Update(update) => update.run(api).await,
            Self::Delete(delete) => delete.run(api).await,
            Self::Restore(restore) => restore.run(api).await,
        }
    }
}

impl List {
    async fn run(self, api: &Api) -> Done {
        let Self { place: Place { org, space }, name, status, labels } = self;
        let label = (!labels.is_empty()).then(|| labels.join(","));
        let filters = [("name", name), ("status", status), ("label", label)];
        let filters = filters.into_iter().filter_map(|(filter, value)| Some((filter, value?)));
        let query: Vec<_> = std::iter::once(("org", org)).chain(filters).collect();
        api.output.list(&COLUMNS, &api.list(&["wpaas", &api.cid().await?, &space], &query).await?)
    }
}

/// Prints what would be done.
fn preview(output: Output, answer: &Value) -> Done {
    if output == Output::Json {
        return output::json(answer);
    }
    let plan = answer.pointer("/plan/text").and_then(Value::as_str);
    let plan = plan.unwrap_or("the plan is not known yet: the server has not looked at what runs");
    let lines: Vec<_> = plan.lines().map(output::plain).collect();
    output::print(&format!(
        "dry run: nothing was changed
{}
",
        lines.join(
            "
"
        )
    ))
}

/// Prints what was accepted and where to look next.
fn accepted(api: &Api, site: &Value, what: &str) -> Done {
    if api.output == Output::Json {
        return output::json(site);
    }
    let name = cell(site, "/name");
    output::print(&format!("{name}: {what}; `wpaas sites watch {name}` shows how it comes about\n"))
}
