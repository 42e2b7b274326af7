//! What is printed: aligned tables for people, JSON for programs; errors on the standard error.

use std::io::{ErrorKind, Write};

use clap::ValueEnum;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::{Done, Failure};

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns
    Table,
    /// The API's own JSON
    Json,
}

/// A column: its heading, and where its value is in the JSON (RFC 6901).
pub type Column = (&'static str, &'static str);

impl Output {
    /// Prints a list.
    pub fn list(self, columns: &[Column], items: &[Value]) -> Done {
        match self {
            Self::Json => json(&items),
            Self::Table if items.is_empty() => {
                eprintln!("nothing");
                Ok(())
            }
            Self::Table => {
                let rows = items.iter().map(|item| columns.iter().map(|(_, at)| cell(item, at)).collect());
                print(&table(columns.iter().map(|(title, _)| (*title).to_owned()).collect(), rows))
            }
        }
    }

    /// Prints one thing, a line for each value.
    pub fn one(self, columns: &[Column], item: &Value) -> Done {
        if self == Self::Json {
            return json(item);
        }
        let shown = columns.iter().map(|(title, at)| ((*title).to_lowercase(), cell(item, at)));
        let rows = shown.filter(|(_, value)| value != "-").map(|(title, value)| vec![title, value]);
        print(&table(Vec::new(), rows))
    }

    /// Prints why a command was not done.
    pub fn failure(self, failure: &Failure) {
        if self == Self::Json {
            let document = match failure {
                Failure::Refused(problem) => json!(problem),
                other => json!({"detail": other.to_string()}),
            };
            eprintln!("{document}");
            return;
        }
        eprintln!("error: {}", plain(&failure.to_string()));
        if let Some(hint) = failure.hint() {
            eprintln!("  help: {hint}");
        }
        if let Failure::Refused(problem) = failure
            && let Some(id) = &problem.request_id
        {
            eprintln!("  code: {}, request {}", plain(&problem.code), plain(id));
        }
    }
}

/// Aligned columns, two blanks apart.
pub fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// Prints JSON.
pub fn json(value: &impl serde::Serialize) -> Done {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Other(error.to_string()))?;
    print(&format!("{text}\n"))
}

/// Prints a text as it is. A reader that has gone, as `head` does, is no error.
pub fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        done => done.map_err(|error| Failure::Other(format!("standard output: {error}"))),
    }
}

/// A value as a person reads it.
pub fn cell(item: &Value, at: &str) -> String {
    match item.pointer(at).unwrap_or(&Value::Null) {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.parse().map_or_else(|_| plain(text), moment),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(|item| cell(item, "")).collect::<Vec<_>>().join(" "),
        Value::Object(fields) if fields.is_empty() => "-".to_owned(),
        // Who did something, and to what: the kind is in the id.
        Value::Object(fields) if fields.contains_key("kind") => {
            cell(fields.get("id").unwrap_or(&fields["kind"]), "")
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}={}", plain(name), cell(value, ""));
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// To the second: nobody reads more.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What is served can't move the cursor of whoever reads it.
pub fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_is_in_them() {
        let items = [json!({"a": "x", "b": {"c": 1}}), json!({"a": "longer", "b": null})];
        let rows = items.iter().map(|item| vec![cell(item, "/a"), cell(item, "/b/c")]);
        let text = table(vec!["A".to_owned(), "C".to_owned()], rows);
        assert_eq!(text, "A       C\nx       1\nlonger  -\n");
    }

    #[test]
    fn a_value_is_shown_as_people_read_it() {
        let item = json!({"at": "2026-11-24T15:31:28.092456901Z", "tags": ["a", "b"], "evil": "\u{1b}[2J", "o": {"k": 1}});
        let shown = ["/at", "/tags", "/evil", "/o", "/none"].map(|at| cell(&item, at));
        assert_eq!(shown, ["2026-11-24 15:31:28", "a b", "\u{fffd}[2J", "k=1", "-"]);
    }
}
