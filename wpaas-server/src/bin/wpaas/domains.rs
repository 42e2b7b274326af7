//! The domains that a site asks for.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use crate::api::Api;
use crate::failure::{Done, Failure};
use crate::output::{self, Output, cell, table};
use crate::sites::Which;

/// `wpaas domains`.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
A site asks for domains with `wpaas sites create --domain` or `wpaas sites update --domain`. It answers by one when a
record in DNS says that the domain is its: until then everything else of the site works.

Examples:
  wpaas domains check blog        looks at DNS now, and says what to set there
  wpaas domains list blog         what was found when it was last looked at")]
pub enum Command {
    /// What a site's domains lack, as far as it was last looked at
    List(Which),
    /// Looks at DNS now, and says what is seen there and what to set
    Check(Which),
}

impl Command {
    /// Does it.
    pub async fn run(self, api: &Api) -> Done {
        let (which, method, path) = match &self {
            Self::List(which) => (which, Method::GET, &["domains"][..]),
            Self::Check(which) => (which, Method::POST, &["domains", "check"][..]),
        };
        let target = which.target(api).await?;
        let answer = target.call(api, method, path, &[], None).await?;
        if api.output == Output::Json {
            return output::json(&answer);
        }
        let domains = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if domains.is_empty() {
            return Err(Failure::Other(format!(
                "{} asks for no domains: give it some with `wpaas sites update {} --domain NAME`",
                which.name, which.name
            )));
        }
        let site = target.call(api, Method::GET, &[], &[], None).await?;
        let certificates = site.pointer("/status/certificates").and_then(Value::as_array);
        let certificates = certificates.map(Vec::as_slice).unwrap_or_default();
        domains.iter().try_for_each(|domain| output::print(&told(domain)))?;
        certificates.iter().try_for_each(|certificate| output::print(&issued(certificate)))
    }
}

/// What became of a certificate.
fn issued(certificate: &Value) -> String {
    let state = cell(certificate, "/state");
    let mut text = format!("certificate for {}: {state}", cell(certificate, "/name"));
    if certificate.get("not_after").is_some_and(Value::is_string) {
        text.extend([" (until ", &cell(certificate, "/not_after"), ")"]);
    }
    text.push('\n');
    if certificate.get("error").is_some_and(Value::is_string) {
        text.extend(["  the authority said: ", &cell(certificate, "/error"), "\n"]);
    }
    if certificate.get("state").is_none_or(|state| state != "issued") {
        text.extend(["  next try: ", &cell(certificate, "/next_try"), "\n"]);
    }
    text
}

/// How far it is, and what is to be set if anything is.
fn told(domain: &Value) -> String {
    let state = cell(domain, "/state");
    let meaning = match state.as_str() {
        "active" => "the site answers by it, and visitors get there",
        "verified" => "the site answers by it, but it does not lead there yet",
        "failed" => "not this site's",
        _ => "not proved yet",
    };
    let mut text =
        format!("{}: {state} ({meaning})\n  seen: {}\n", cell(domain, "/domain"), cell(domain, "/found"));
    if state != "active" {
        let records = domain.get("records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let rows = records.iter().map(|record| {
            ["/type", "/name", "/value", "/purpose"].iter().map(|at| cell(record, at)).collect()
        });
        text += "  to set in DNS, one that proves the domain and one that leads visitors:\n";
        text.extend(table(Vec::new(), rows).lines().map(|line| format!("    {line}\n")));
        text.extend(["  looked at next: ", &cell(domain, "/next_look"), "\n"]);
    }
    text
}
