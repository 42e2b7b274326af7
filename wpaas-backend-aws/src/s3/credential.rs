use std::fmt;

use serde::Deserialize;
use wpaas_core::code::reference::CodePolicy;
use wpaas_core::code::{CodeError, S3Code};
use wpaas_core::secret::Secret;

/// As whom a bucket is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// As anybody.
    Anonymous,
    /// As this server, with what its environment has.
    Server,
    /// As the customer said.
    Key(AccessKey),
}

/// A key of S3.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// Of a temporary key.
    pub session_token: Option<Secret>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").finish_non_exhaustive()
    }
}

/// The JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// The site's own credential; without one the server's, for the buckets of AWS that the operator listed.
pub(super) fn identity(
    code: &S3Code,
    credential: Option<&Secret>,
    policy: &CodePolicy,
) -> Result<Identity, CodeError> {
    match credential {
        Some(secret) => parse(secret.expose().trim()).map(Identity::Key).ok_or_else(|| {
            let why = "code.credential: an S3 key is KEY_ID:SECRET, or JSON with access_key_id, \
                       secret_access_key and, if it has one, session_token";
            CodeError::Refused(why.into())
        }),
        None if code.endpoint.is_none() && policy.serves_bucket(&code.bucket) => Ok(Identity::Server),
        None => Ok(Identity::Anonymous),
    }
}

fn parse(text: &str) -> Option<AccessKey> {
    let written = if text.starts_with('{') {
        serde_json::from_str(text).ok()?
    } else {
        let (id, secret) = text.split_once(':')?;
        Written { access_key_id: id.to_owned(), secret_access_key: secret.to_owned(), session_token: None }
    };
    let Written { access_key_id: id, secret_access_key, session_token } = written;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let token = session_token.as_deref().is_none_or(plain);
    let session_token = session_token.map(Secret::new);
    (plain(&id) && plain(&secret_access_key) && token).then(|| AccessKey {
        id,
        secret: Secret::new(secret_access_key),
        session_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(bucket: &str, endpoint: Option<&str>, credential: Option<&str>) -> Result<Identity, String> {
        let policy = CodePolicy { server_buckets: vec!["ours".into()], ..CodePolicy::default() };
        let endpoint = endpoint.map(str::to_owned);
        let code = S3Code { bucket: bucket.into(), key: None, endpoint, region: None };
        let secret = credential.map(|text| Secret::new(text.to_owned()));
        identity(&code, secret.as_ref(), &policy).map_err(|error| error.to_string())
    }

    #[test]
    fn the_servers_identity_is_for_the_listed_buckets_of_aws() {
        assert_eq!(chosen("ours", None, None), Ok(Identity::Server));
        assert_eq!(chosen("theirs", None, None), Ok(Identity::Anonymous));
        assert_eq!(chosen("ours", Some("http://minio"), None), Ok(Identity::Anonymous));
        assert!(matches!(chosen("ours", None, Some("AKIA:s")), Ok(Identity::Key(_))));
    }

    #[test]
    fn a_credential_has_two_forms() {
        let key = |secret: &str, token: Option<&str>| {
            Ok(Identity::Key(AccessKey {
                id: "AKIA".into(),
                secret: Secret::new(secret.into()),
                session_token: token.map(|token| Secret::new(token.into())),
            }))
        };
        assert_eq!(chosen("b", None, Some("AKIA:se:cret/+=\n")), key("se:cret/+=", None));
        let json = r#"{"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "t"}"#;
        assert_eq!(chosen("b", None, Some(json)), key("s", Some("t")));
        for bad in ["", "hunter2", ":hunter2", "AKIA:", "AKIA:hun ter2", "{", r#"{"role_arn": "hunter2"}"#] {
            let error = chosen("b", None, Some(bad)).unwrap_err();
            assert!(
                error.starts_with("code.credential: an S3 key is") && !error.contains("hunter2"),
                "{error}"
            );
        }
        let shown = format!("{:?}", chosen("b", None, Some("AKIA:hunter2")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
