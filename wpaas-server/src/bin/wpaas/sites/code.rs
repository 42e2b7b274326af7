use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::secret;

/// Where code comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Code")]
pub struct Code {
    /// A git URL, or `s3://BUCKET/KEY` (an archive, or with a `/` at its end a tree)
    #[arg(long = "code", id = "code", value_name = "URL")]
    url: Option<String>,
    /// A branch, a tag or a commit, of git
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The folder that holds the code, of git
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
    /// Another S3 than AWS's
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The bucket's region
    #[arg(long, value_name = "REGION")]
    s3_region: Option<String>,
    /// A file with what opens it, or `-`: a token, an SSH key, or an S3 key as JSON
    #[arg(long = "code-credential-file", id = "code_credential_file", value_name = "FILE")]
    credential_file: Option<PathBuf>,
}

impl Code {
    /// As the API takes it: what is given, on top of what is wanted now. `None` where nothing is given.
    pub fn over(&self, now: Option<&Value>) -> Result<Option<Value>, Failure> {
        let mut code = match &self.url {
            Some(url) => by_parts(url),
            None => now.filter(|now| now.is_object()).cloned().unwrap_or_else(|| json!({})),
        };
        let given = [
            ("ref", &self.reference),
            ("path", &self.path),
            ("endpoint", &self.s3_endpoint),
            ("region", &self.s3_region),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                code[field] = json!(value);
            }
        }
        secret::put(&mut code, "credential", self.credential_file.as_deref())?;
        Ok(self.is_given().then_some(code))
    }

    /// Whether anything is given.
    pub fn is_given(&self) -> bool {
        let Self { url, reference, path, s3_endpoint, s3_region, credential_file } = self;
        credential_file.is_some()
            || [url, reference, path, s3_endpoint, s3_region].iter().any(|value| value.is_some())
    }
}

fn by_parts(url: &str) -> Value {
    match url.strip_prefix("s3://") {
        Some(s3) => match s3.split_once('/') {
            Some((bucket, key)) if !key.is_empty() => json!({"s3": bucket, "key": key}),
            _ => json!({"s3": s3.trim_end_matches('/')}),
        },
        None => json!({"git": url}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: Option<&str>, reference: Option<&str>) -> Code {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Code {
            url: owned(code),
            reference: owned(reference),
            path: None,
            s3_endpoint: None,
            s3_region: None,
            credential_file: None,
        }
    }

    #[test]
    fn a_new_ref_keeps_the_rest() {
        let now = json!({"git": "https://g.example/a.git", "ref": "main", "path": "wp"});
        let new = code(None, Some("v2")).over(Some(&now)).unwrap();
        assert_eq!(new, Some(json!({"git": "https://g.example/a.git", "ref": "v2", "path": "wp"})));
        let other = code(Some("https://g.example/b.git"), None).over(Some(&now)).unwrap();
        assert_eq!(other, Some(json!({"git": "https://g.example/b.git"})));
        assert_eq!(code(None, None).over(Some(&now)).unwrap(), None);
    }

    #[test]
    fn s3_is_told_from_git() {
        let s3 = |url: &str| code(Some(url), None).over(None).unwrap().unwrap();
        assert_eq!(s3("s3://bucket/tree/"), json!({"s3": "bucket", "key": "tree/"}));
        assert_eq!(s3("s3://bucket"), json!({"s3": "bucket"}));
        assert_eq!(s3("git@host:a.git"), json!({"git": "git@host:a.git"}));
    }
}
