//! What an org used.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::api::Api;
use crate::failure::Done;
use crate::output::{Column, cell};

const SUMS: [Column; 3] = [("KIND", "/kind"), ("SECONDS", "/seconds"), ("GIB-SECONDS", "/gib_seconds")];

const RECORDS: [Column; 7] = [
    ("SEQ", "/seq"),
    ("SITE", "/site_id"),
    ("PART", "/part"),
    ("FROM", "/from"),
    ("TO", "/to"),
    ("SECONDS", "/seconds"),
    ("GIB", "/gib"),
];

/// `wpaas usage`.
#[derive(Debug, Args)]
#[command(after_help = "\
A record is one node, or one volume, within one hour of UTC; an hour is there once it is over. Days are UTC's.

Examples:
  wpaas usage                                         what the default org used, summed up
  wpaas usage --org shop --from 2026-11-01 --to 2026-12-01
  wpaas usage --records --site blog -o json")]
pub struct Usage {
    /// The org
    #[arg(long, value_name = "NAME", default_value = "default")]
    org: String,
    /// Of this site only; --space says where it is
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Where the site is
    #[arg(long, value_name = "NAME", default_value = "default")]
    space: String,
    /// What began then or later: a day, or a time such as 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// What began before
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// The records themselves
    #[arg(long)]
    records: bool,
    /// Records after the page that ended with this
    #[arg(long, value_name = "CURSOR", requires = "records")]
    cursor: Option<String>,
    /// How many records at most
    #[arg(long, value_name = "N", requires = "records", value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: Option<u16>,
}

impl Usage {
    /// Prints it.
    pub async fn run(self, api: &Api) -> Done {
        let cid = api.cid().await?;
        let mut query = Vec::new();
        if let Some(site) = &self.site {
            let found = api.get(&["wpaas", &cid, &self.space, site], &[("org", self.org.clone())]).await?;
            query.push(("site_id", cell(&found, "/id")));
        }
        query.extend(self.from.map(|from| ("from", from.to_string())));
        query.extend(self.to.map(|to| ("to", to.to_string())));
        query.extend(self.cursor.map(|cursor| ("cursor", cursor)));
        query.extend(self.limit.map(|limit| ("limit", limit.to_string())));
        let of_org = ["orgs", &cid, &self.org, "usage"];
        let path = if self.records { of_org.to_vec() } else { [&of_org[..], &["sums"]].concat() };
        let page = api.get(&path, &query).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        api.output.list(if self.records { &RECORDS } else { &SUMS }, &items)?;
        if let Some(next) = page.get("next").and_then(Value::as_str) {
            eprintln!("there are more: --cursor {next}");
        }
        Ok(())
    }
}

/// A day is its beginning.
fn time(text: &str) -> Result<Timestamp, String> {
    let day = |text: &str| text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let wrong = |_| "must be a day (2026-11-01) or a time (2026-11-01T08:00:00Z)".to_owned();
    text.parse().or_else(|error| day(text).map(|day| day.timestamp()).ok_or(error)).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning_in_utc() {
        assert_eq!(time("2026-11-01").unwrap().to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(time("2026-11-01T08:00:00+02:00").unwrap().to_string(), "2026-11-01T06:00:00Z");
        assert!(time("yesterday").is_err());
    }
}
