use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::hsts::Hsts;

/// What a person writes.
pub const BOUNDS: &str = "on|off|MIN-MAX[@TARGET]";

/// Whether, or between which bounds, instances follow the load. Which numbers are good is the server's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoscale {
    /// Or not.
    Whether(bool),
    /// From so many instances to so many, with so many requests under way in each.
    Between(u16, u16, Option<u16>),
}

impl FromStr for Autoscale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" | "true" => return Ok(Self::Whether(true)),
            "off" | "false" => return Ok(Self::Whether(false)),
            _ => {}
        }
        between(text).ok_or_else(|| format!("must be {BOUNDS}, as 2-6 or 2-6@8"))
    }
}

/// Optional behaviour as the API takes it: what was given, if anything was.
pub fn features(autoscale: Option<Autoscale>, hsts: Option<Hsts>) -> Option<Value> {
    let given = [("autoscale", autoscale.map(Value::from)), ("hsts", hsts.map(Value::from))];
    let given: Map<_, _> =
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    (!given.is_empty()).then(|| given.into())
}

fn between(text: &str) -> Option<Autoscale> {
    let (bounds, target) =
        text.split_once('@').map_or((text, None), |(bounds, target)| (bounds, Some(target)));
    let (min, max) = bounds.split_once('-')?;
    let target = target.map(str::parse).transpose().ok()?;
    Some(Autoscale::Between(min.parse().ok()?, max.parse().ok()?, target))
}

impl From<Autoscale> for Value {
    fn from(autoscale: Autoscale) -> Self {
        match autoscale {
            Autoscale::Whether(whether) => whether.into(),
            Autoscale::Between(min, max, None) => json!({"min": min, "max": max}),
            Autoscale::Between(min, max, Some(target)) => json!({"min": min, "max": max, "target": target}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_what_the_api_takes() {
        for (text, value) in [
            ("on", json!(true)),
            ("false", json!(false)),
            ("2-6", json!({"min": 2, "max": 6})),
            ("1-20@8", json!({"min": 1, "max": 20, "target": 8})),
        ] {
            assert_eq!(text.parse().map(|autoscale: Autoscale| Value::from(autoscale)), Ok(value), "{text}");
        }
        for text in ["", "yes", "2", "2-", "-6", "2-6@", "2-6@x", "2-6-8", "2..6", "2-70000"] {
            assert!(text.parse::<Autoscale>().unwrap_err().contains("MIN-MAX"), "{text}");
        }
    }
}
