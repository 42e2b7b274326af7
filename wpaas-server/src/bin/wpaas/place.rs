//! Where things are: an org, a space, and the ids that the API wants for their names.

use clap::Args;
use serde_json::Value;

use crate::api::Api;
use crate::failure::Failure;

/// A space, by name.
#[derive(Debug, Args)]
pub struct Place {
    /// The org
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub org: String,
    /// The space in it
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub space: String,
}

/// The id of a thing that the API has shown.
fn id(of: &Value) -> Result<String, Failure> {
    let id = of.get("id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| Failure::Other("the server's answer has no id".to_owned()))
}

/// An org's id; what looks like one is one.
pub async fn org_id(api: &Api, org: &str) -> Result<String, Failure> {
    if org.starts_with("org_") {
        return Ok(org.to_owned());
    }
    id(&api.get(&["orgs", &api.cid().await?, org], &[]).await?)
}

/// A space's id; what looks like one is one.
pub async fn space_id(api: &Api, org_id: &str, space: &str) -> Result<String, Failure> {
    if space.starts_with("space_") {
        return Ok(space.to_owned());
    }
    id(&api.get(&["spaces", org_id, space], &[]).await?)
}
