use serde_json::Value;

use crate::failure::Done;
use crate::output::{self, Column, Output, cell, table};

const SCALED: [Column; 5] = [
    ("WANTED FOR THE LOAD", "/wanted"),
    ("REQUESTS UNDER WAY", "/measured"),
    ("EACH IS TO HAVE", "/target"),
    ("SINCE", "/since"),
    ("WHY", "/why"),
];

const DETAILS: [Column; 18] = [
    ("NAME", "/name"),
    ("ID", "/id"),
    ("ORG", "/org"),
    ("SPACE", "/space"),
    ("TITLE", "/spec/title"),
    ("STATUS", "/status/phase"),
    ("URL", "/status/url"),
    ("PLATFORM NAME", "/names/platform"),
    ("DOMAINS", "/spec/domains"),
    ("HSTS", "/spec/features/hsts"),
    ("ADMIN", "/spec/admin/username"),
    ("CODE", "/spec/code"),
    ("RELEASE", "/release/revision"),
    ("CODE ERROR", "/code_failure/message"),
    ("WORDPRESS", "/status/wordpress_version"),
    ("LABELS", "/spec/labels"),
    ("LAST ERROR", "/status/last_error"),
    ("NEXT TRY", "/status/next_try"),
];

/// Prints a site: what it is, its conditions, its parts and what it waits for.
pub fn show(output: Output, site: &Value) -> Done {
    output.one(&DETAILS, site)?;
    if output == Output::Json {
        return Ok(());
    }
    let number = |part: &str| {
        let found = site.pointer(&format!("/actual/{part}")).map_or(0, |n| n.as_u64().unwrap_or(0));
        format!("{found} of {}", cell(site, &format!("/expected/{part}")))
    };
    let mut text = String::from("\n");
    let counts = [
        ("wordpress instances", number("num_instances")),
        ("database instances", number("database_instances")),
    ];
    text += &table(Vec::new(), counts.into_iter().map(|(name, n)| vec![name.to_owned(), n]));
    if let Some(scaled) = site.pointer("/status/autoscale").filter(|scaled| !scaled.is_null()) {
        let header = SCALED.iter().map(|(title, _)| (*title).to_owned()).collect();
        let row = SCALED.iter().map(|(_, at)| cell(scaled, at)).collect();
        text.push('\n');
        text += &table(header, std::iter::once(row));
    }
    text += &listed(
        site,
        "/status/conditions",
        &[("CONDITION", "/type"), ("IS", "/status"), ("SINCE", "/since"), ("WHY", "/message")],
    );
    text += &listed(
        site,
        "/status/domains",
        &[("DOMAIN", "/domain"), ("STATE", "/state"), ("LOOKED AT", "/looked_at"), ("SEEN", "/found")],
    );
    text += &listed(
        site,
        "/status/certificates",
        &[
            ("CERTIFICATE", "/name"),
            ("STATE", "/state"),
            ("UNTIL", "/not_after"),
            ("NEXT TRY", "/next_try"),
            ("ERROR", "/error"),
        ],
    );
    text += &listed(site, "/status/parts", &[("PART", "/part"), ("STATE", "/state")]);
    text += &listed(site, "/status/waiting", &[("WAITS FOR", "")]);
    output::print(&text)
}

fn listed(site: &Value, at: &str, columns: &[Column]) -> String {
    let items = site.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return String::new();
    }
    let header = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let rows = items.iter().map(|item| columns.iter().map(|(_, at)| cell(item, at)).collect());
    format!("\n{}", table(header, rows))
}
