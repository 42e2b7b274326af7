use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::output::cell;

/// Shows how far a site is, on the standard error: a bar on a terminal, else a line for each change.
pub struct Progress {
    began: Instant,
    bar: Option<ProgressBar>,
    parts: BTreeMap<String, String>,
    trouble: String,
    is_first: bool,
}

impl Progress {
    /// Of a site.
    pub fn of(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(name));
        Self { began: Instant::now(), bar, parts: BTreeMap::new(), trouble: String::new(), is_first: true }
    }

    /// Shows what is new.
    pub fn show(&mut self, site: &Value) {
        let parts = parts(site);
        for (part, state) in &parts {
            let was = self.parts.get(part);
            // What was there before anybody looked is no news.
            if was != Some(state) && (was.is_some() || !(self.is_first && is_complete(state))) {
                self.say(&format!("{part}: {state}"));
            }
        }
        let waits = why(site);
        if let Some(bar) = &self.bar {
            let ready = parts.values().filter(|state| is_complete(state)).count();
            bar.set_length(parts.len() as u64);
            bar.set_position(ready as u64);
            bar.set_message(waits);
        } else if waits != self.trouble {
            self.trouble.clone_from(&waits);
            if !waits.is_empty() {
                self.say(&waits);
            }
        }
        (self.parts, self.is_first) = (parts, false);
    }

    fn say(&self, what: &str) {
        let line = format!("{:>5.1}s  {what}", self.began.elapsed().as_secs_f32());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{spinner} {prefix} {elapsed} [{bar:20}] {pos} of {len} parts  {wide_msg}",
    );
    let bar = ProgressBar::new(0).with_prefix(name.to_owned());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn parts(site: &Value) -> BTreeMap<String, String> {
    let parts =
        site.pointer("/status/parts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parts.iter().map(|part| (cell(part, "/part"), cell(part, "/state"))).collect()
}

fn is_complete(state: &str) -> bool {
    matches!(state, "ready" | "synced" | "serving")
}

/// What is in the way: the last error before what is only waited for.
pub fn why(site: &Value) -> String {
    let places = ["/code_failure/message", "/status/last_error", "/status/waiting/0"];
    places.iter().map(|at| cell(site, at)).find(|text| text != "-").unwrap_or_default()
}
