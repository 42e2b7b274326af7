use serde::{Deserialize, Deserializer};
use wpaas_core::secret::Secret;

/// A secret text of a request. Unlike others, a value of another type is not repeated in the error.
#[derive(Debug, Clone)]
pub struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(Secret::new(text))),
            _ => Err(serde::de::Error::custom("must be a text")),
        }
    }
}
