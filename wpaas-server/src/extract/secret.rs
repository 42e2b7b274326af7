use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use wpaas_core::secret::Secret;

/// A secret text of a request. Unlike others, a value of another type is not repeated in the error.
#[derive(Debug, Clone)]
pub struct SecretText(pub Secret);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(Secret::new(text))),
            _ => Err(serde::de::Error::custom("must be a text")),
        }
    }
}

/// What a code source asks for: a text, or the parts of an S3 key, which become the text that the source reads.
#[derive(Debug, Clone)]
pub struct Credential(pub Secret);

impl Credential {
    /// The characters of a token or an SSH key, and of each part of an S3 key, at most.
    pub const LONGEST: usize = 16384;
}

fn short<E: serde::de::Error>(text: &str) -> Result<(), E> {
    let most = Credential::LONGEST;
    let fits = text.chars().count() <= most;
    if fits { Ok(()) } else { Err(E::custom(format!("must have {most} characters or less"))) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    access_key_id: SecretText,
    secret_access_key: SecretText,
    session_token: Option<SecretText>,
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => {
                short::<D::Error>(&text)?;
                Ok(Self(Secret::new(text)))
            }
            object @ Value::Object(_) => {
                let key: Written = serde_json::from_value(object).map_err(serde::de::Error::custom)?;
                key.parts().try_for_each(|SecretText(part)| short::<D::Error>(part.expose()))?;
                Ok(Self(Secret::new(key.into_json().to_string())))
            }
            _ => Err(serde::de::Error::custom("must be a text or an S3 key")),
        }
    }
}

impl Written {
    fn parts(&self) -> impl Iterator<Item = &SecretText> {
        let Self { access_key_id, secret_access_key, session_token } = self;
        [access_key_id, secret_access_key].into_iter().chain(session_token)
    }

    fn into_json(self) -> Value {
        let Self { access_key_id, secret_access_key, session_token } = self;
        json!({
            "access_key_id": access_key_id.0.expose(),
            "secret_access_key": secret_access_key.0.expose(),
            "session_token": session_token.as_ref().map(|SecretText(token)| token.expose()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_text_or_an_s3_key() {
        let text = |json: Value| serde_json::from_value::<Credential>(json).map(|c| c.0.expose().to_owned());
        assert_eq!(text(json!("token")).unwrap(), "token");
        let key = json!({"access_key_id": "AK", "secret_access_key": "hush"});
        assert!(text(key).unwrap().contains("\"secret_access_key\":\"hush\""));
        assert!(text(json!("x".repeat(Credential::LONGEST))).is_ok());
        let long = "hush".repeat(Credential::LONGEST);
        for wrong in [
            json!(5),
            json!(long),
            json!({"id": "hush"}),
            json!({"access_key_id": "AK", "secret_access_key": 12345}),
            json!({"access_key_id": "AK", "secret_access_key": "x", "session_token": long}),
        ] {
            let error = text(wrong).unwrap_err().to_string();
            assert!(!error.contains("hush") && !error.contains("12345"), "{error}");
        }
    }
}
