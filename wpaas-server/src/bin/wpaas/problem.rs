//! The server's errors: problem details (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the server answers instead of what was asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// In a word or two.
    pub title: String,
    /// For programs.
    pub code: String,
    /// For people.
    pub detail: String,
    /// The field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the operator finds it by in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Seconds until another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}: {field}: {}", self.title, self.detail),
            None => write!(f, "{}: {}", self.title, self.detail),
        }
    }
}

impl Problem {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match (self.status, self.code.as_str()) {
            (401, _) => "sign in with `wpaas login`, or set WPAAS_TOKEN",
            (_, "customer_suspended") => "reads go on; ask the operator to resume the customer",
            (_, "customer_to_be_removed") => "`wpaas customers restore` takes the deletion back",
            (403, _) => "ask a manager of the org or the customer for a role, or use another key",
            (404, _) => "check the name, and --cid, --org and --space; `list` shows what you may see",
            (_, "name_in_deletion") => "`wpaas sites restore` brings it back, or choose another name",
            (_, "quota_exceeded") => "ask for a larger quota (`wpaas orgs update`), or scale something down",
            (400 | 422, _) if self.field.is_some() => "change that value; `--help` says what it may be",
            (412, _) => "somebody else changed it meanwhile: look at it, then try again",
            (429 | 502 | 503 | 504, _) => {
                return Some(format!("try again in {} s", self.retry_after.unwrap_or(5)));
            }
            (500.., _) => "tell the operator the request's id",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
