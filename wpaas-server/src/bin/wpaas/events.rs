//! Events.

use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use reqwest::Response;
use serde_json::Value;
use sse_stream::{Sse, SseByteStream};

use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::output::{self, Column, Output, cell};
use crate::place::{Place, org_id, space_id};

const COLUMNS: [Column; 6] = [
    ("SEQ", "/seq"),
    ("AT", "/at"),
    ("KIND", "/kind"),
    ("WHO", "/who"),
    ("SUBJECT", "/subject"),
    ("DETAIL", "/detail"),
];

/// A server that went away is asked again so often.
const AGAIN: Duration = Duration::from_secs(2);

/// `wpaas events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wpaas events --site blog                      what happened to a site
  wpaas events --after 1200 --limit 500
  wpaas events --who system --kind site_condition_changed --since 2026-01-31T12:00:00Z
  wpaas events --in-space default --follow -o json | jq .kind")]
pub struct Events {
    /// Of this site only; --org and --space say where it is
    #[arg(long, value_name = "NAME", conflicts_with_all = ["in_org", "in_space"])]
    site: Option<String>,
    /// Of this org only
    #[arg(long, value_name = "NAME", conflicts_with = "in_space")]
    in_org: Option<String>,
    /// Of this space only; --org says where it is
    #[arg(long, value_name = "NAME")]
    in_space: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Of this kind only, as `site_created`
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Done by operator, anonymous, system, or the customer or user of this id
    #[arg(long, value_name = "WHO")]
    who: Option<String>,
    /// At this time or later, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Those after the event of this number
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Goes on with what happens, until it is interrupted; without --after, from now on
    #[arg(short, long, conflicts_with = "limit")]
    follow: bool,
}

impl Events {
    /// Prints them.
    pub async fn run(self, api: &Api) -> Done {
        let mut query = self.filter(api).await?;
        let also = [("kind", &self.kind), ("who", &self.who), ("since", &self.since)];
        query.extend(also.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        if let Some(after) = self.after {
            query.push(("after", after.to_string()));
        }
        if self.follow {
            return follow(api, &query).await;
        }
        query.push(("limit", self.limit.to_string()));
        let page = api.get(&["events"], &query).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        api.output.list(&COLUMNS, &items)?;
        if let Some(next) = page.get("next").and_then(Value::as_str) {
            eprintln!("there are more: --after {next}");
        }
        Ok(())
    }

    /// The API filters by ids.
    async fn filter(&self, api: &Api) -> Result<Vec<(&'static str, String)>, Failure> {
        let inside = async |name, id| Ok(vec![("cid", api.cid().await?), (name, id)]);
        if let Some(site) = &self.site {
            let cid = api.cid().await?;
            let found = api
                .get(&["wpaas", &cid, &self.place.space, site], &[("org", self.place.org.clone())])
                .await?;
            return inside("site_id", cell(&found, "/id")).await;
        }
        if let Some(space) = &self.in_space {
            return inside("space_id", space_id(api, &org_id(api, &self.place.org).await?, space).await?)
                .await;
        }
        if let Some(org) = &self.in_org {
            return inside("org_id", org_id(api, org).await?).await;
        }
        Ok(Vec::new())
    }
}

/// The server ends a stream now and then; what it said last is where the next one begins.
async fn follow(api: &Api, query: &[(&str, String)]) -> Done {
    let mut last: Option<String> = None;
    let mut begun = false;
    loop {
        match api.stream(&["events"], query, last.as_deref()).await {
            Ok(response) => read(api.output, response, &mut last).await?,
            Err(failure @ (Failure::Unreachable(_) | Failure::TimedOut(_))) if begun => {
                eprintln!("{failure}; trying again");
                tokio::time::sleep(AGAIN).await;
            }
            Err(failure) => return Err(failure),
        }
        begun = true;
    }
}

/// Prints a stream to its end, which may also be the loss of the connection.
async fn read(output: Output, response: Response, last: &mut Option<String>) -> Done {
    let mut events = SseByteStream::new(response.bytes_stream());
    while let Some(Ok(Sse { id, data, .. })) = events.next().await {
        *last = id.or(last.take());
        if let Some(event) = data.and_then(|data| serde_json::from_str::<Value>(&data).ok()) {
            print(output, &event)?;
        }
    }
    Ok(())
}

fn print(output: Output, event: &Value) -> Done {
    let line = match output {
        Output::Json => event.to_string(),
        Output::Table => COLUMNS.map(|(_, at)| cell(event, at)).join("  "),
    };
    output::print(&format!("{line}\n"))
}
