use std::str::FromStr;

use serde_json::{Value, json};

/// What a person writes.
pub const HSTS: &str = "on|off|SECONDS";

/// Whether, or for how long, browsers ask for the site over HTTPS alone. How long is good is the server's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hsts {
    /// Or not.
    Whether(bool),
    /// For so many seconds.
    For(u32),
}

impl FromStr for Hsts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" | "true" => Ok(Self::Whether(true)),
            "off" | "false" => Ok(Self::Whether(false)),
            _ => text.parse().map(Self::For).map_err(|_| format!("must be {HSTS}, as 86400 for a day")),
        }
    }
}

impl From<Hsts> for Value {
    fn from(hsts: Hsts) -> Self {
        match hsts {
            Hsts::Whether(whether) => whether.into(),
            Hsts::For(seconds) => json!({ "max_age": seconds }),
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
            ("0", json!({"max_age": 0})),
            ("86400", json!({"max_age": 86400})),
        ] {
            assert_eq!(text.parse().map(|hsts: Hsts| Value::from(hsts)), Ok(value), "{text}");
        }
        for text in ["", "yes", "1d", "-1", "4294967296"] {
            assert!(text.parse::<Hsts>().unwrap_err().contains("SECONDS"), "{text}");
        }
    }
}
