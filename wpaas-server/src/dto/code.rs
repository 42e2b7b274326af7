//! Where a site's code comes from: a plain text, or its parts.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::openapi::{OneOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wpaas_core::code::reference::{CodePolicy, CodeRequest, parse_plain};
use wpaas_core::code::{Code, GitCode, S3Code};

use super::schema;
use crate::extract::{Credential, Nullable};
use crate::problem::Problem;

/// Code as it is shown: never with its credential.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum CodeView {
    /// A git repository.
    Git {
        /// Its URL.
        git: String,
        /// A branch, a tag or a commit.
        r#ref: Option<String>,
        /// The folder that holds the code.
        path: Option<String>,
    },
    /// An S3 bucket.
    S3 {
        /// Its name.
        s3: String,
        /// An archive, or the beginning of a tree.
        key: Option<String>,
        /// Another S3 than AWS's.
        endpoint: Option<String>,
        /// The bucket's region.
        region: Option<String>,
    },
}

impl From<Code> for CodeView {
    fn from(code: Code) -> Self {
        match code {
            Code::Git(GitCode { url, reference, path }) => Self::Git { git: url, r#ref: reference, path },
            Code::S3(S3Code { bucket, key, endpoint, region }) => {
                Self::S3 { s3: bucket, key, endpoint, region }
            }
        }
    }
}

/// Code as the one text of the design.
pub fn url(code: &Code) -> String {
    match code {
        Code::Git(git) => git.url.clone(),
        Code::S3(s3) => format!("s3://{}/{}", s3.bucket, s3.key.as_deref().unwrap_or_default()),
    }
}

/// Code as it is given.
#[derive(Debug)]
pub enum CodeDto {
    /// `https://…`, `git@…`, `s3://…`, or a bucket's name.
    Text(String),
    /// Its parts.
    Parts(CodeParts),
}

/// Code by its parts.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeParts {
    /// A git URL; then `s3` must be absent.
    #[schema(value_type = Option<schema::GitUrl>)]
    git: Option<String>,
    /// A branch, a tag or a commit.
    #[schema(max_length = 255)]
    r#ref: Option<String>,
    /// A folder of the repository.
    #[schema(max_length = 1024)]
    path: Option<String>,
    /// A bucket's name; then `git` must be absent.
    #[schema(value_type = Option<schema::Bucket>)]
    s3: Option<String>,
    /// An archive, or, empty or ending in `/`, a tree of objects.
    #[schema(max_length = 1024)]
    key: Option<String>,
    /// Another S3 than AWS's, as the operator allows.
    #[schema(max_length = 255)]
    endpoint: Option<String>,
    /// The bucket's region.
    #[schema(max_length = 32, pattern = "^[a-z0-9-]+$")]
    region: Option<String>,
    /// What the source asks for; never shown again.
    #[serde(default)]
    #[schema(value_type = Option<schema::Credential>)]
    credential: Nullable<Credential>,
}

impl CodeDto {
    /// Reads it, as far as this policy allows.
    ///
    /// # Errors
    ///
    /// 422 with the field that does not do.
    pub fn read(self, policy: &CodePolicy) -> Result<Code, Problem> {
        let code = match self {
            Self::Text(text) => parse_plain(&text, policy),
            Self::Parts(parts) => CodeRequest::from(parts).parse(policy),
        };
        code.map_err(|invalid| Problem::field(invalid.field.as_str(), invalid.problem.to_string()))
    }

    /// Takes the credential out, which goes another way than the code.
    pub fn take_credential(&mut self) -> Nullable<Credential> {
        match self {
            Self::Text(_) => Nullable::Absent,
            Self::Parts(parts) => std::mem::take(&mut parts.credential),
        }
    }
}

impl From<CodeParts> for CodeRequest {
    fn from(parts: CodeParts) -> Self {
        let CodeParts { git, r#ref, path, s3, key, endpoint, region, credential: _ } = parts;
        Self { git, reference: r#ref, path, s3, key, endpoint, region }
    }
}

impl utoipa::PartialSchema for CodeDto {
    fn schema() -> RefOr<Schema> {
        let parts = Ref::from_schema_name(CodeParts::name());
        let text = schema::code_text();
        OneOfBuilder::new().description(Some("Where code comes from")).item(text).item(parts).into()
    }
}

impl utoipa::ToSchema for CodeDto {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((CodeParts::name().into_owned(), CodeParts::schema()));
        CodeParts::schemas(schemas);
    }
}

impl<'de> Deserialize<'de> for CodeDto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeVisitor)
    }
}

struct CodeVisitor;

impl<'de> Visitor<'de> for CodeVisitor {
    type Value = CodeDto;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text (a git URL, s3://… or a bucket's name) or an object with `git` or `s3`")
    }

    fn visit_str<E>(self, text: &str) -> Result<CodeDto, E> {
        Ok(CodeDto::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CodeDto, A::Error> {
        CodeParts::deserialize(MapAccessDeserializer::new(map)).map(CodeDto::Parts)
    }
}
