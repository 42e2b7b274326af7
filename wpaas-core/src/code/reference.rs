//! Parsing what a customer wrote about their code, at the border: what gets through is safe to fetch.
//!
//! Two forms are read: the plain string ([`parse_plain`]) and the structured one ([`CodeRequest`]). Nothing
//! here looks anything up; [`reach`](crate::reach) does, when the code is fetched.

use super::{Code, CodeError, GitCode, S3Code};

mod bucket;
mod git_url;
mod policy;
mod problem;
mod ref_name;
mod text;

pub use git_url::{GitUrl, Transport};
pub use policy::{CodePolicy, InvalidPolicy};
pub use problem::{CodeField, CodeProblem, InvalidCode};

/// The structured form, as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeRequest {
    /// A git URL; then `s3` must be absent.
    pub git: Option<String>,
    /// A branch, a tag or a full commit id. For git only.
    pub reference: Option<String>,
    /// A folder in the repository. For git only.
    pub path: Option<String>,
    /// A bucket's name; then `git` must be absent.
    pub s3: Option<String>,
    /// An object's key, or the beginning of several ones', ending in `/`. For S3 only.
    pub key: Option<String>,
    /// The URL of another S3 than AWS's. For S3 only.
    pub endpoint: Option<String>,
    /// The bucket's region. For S3 only.
    pub region: Option<String>,
}

impl CodeRequest {
    /// Checks everything that can be without a network.
    ///
    /// # Errors
    ///
    /// The first field that does not do, and why.
    pub fn parse(self, policy: &CodePolicy) -> Result<Code, InvalidCode> {
        match (&self.git, &self.s3) {
            (Some(_), Some(_)) => Err(CodeProblem::GitAndS3.of(CodeField::Code)),
            (None, None) => Err(CodeProblem::NeitherGitNorS3.of(CodeField::Code)),
            (Some(_), None) => self.parse_git(policy).map(Code::Git),
            (None, Some(_)) => self.parse_s3(policy).map(Code::S3),
        }
    }

    fn parse_git(self, policy: &CodePolicy) -> Result<GitCode, InvalidCode> {
        let Self { git, reference, path, s3: _, key, endpoint, region } = self;
        absent(key.as_ref(), CodeField::Key, CodeProblem::OnlyForS3)?;
        absent(endpoint.as_ref(), CodeField::Endpoint, CodeProblem::OnlyForS3)?;
        absent(region.as_ref(), CodeField::Region, CodeProblem::OnlyForS3)?;
        let url = git.unwrap_or_default();
        GitUrl::parse(&url, policy).map_err(|problem| problem.of(CodeField::Git))?;
        if let Some(reference) = &reference {
            ref_name::check(reference).map_err(|problem| problem.of(CodeField::Ref))?;
        }
        let path = path.map(|path| text::relative_path(&path)).transpose();
        Ok(GitCode { url, reference, path: path.map_err(|problem| problem.of(CodeField::Path))? })
    }

    fn parse_s3(self, policy: &CodePolicy) -> Result<S3Code, InvalidCode> {
        let Self { git: _, reference, path, s3, key, endpoint, region } = self;
        absent(reference.as_ref(), CodeField::Ref, CodeProblem::OnlyForGit)?;
        absent(path.as_ref(), CodeField::Path, CodeProblem::OnlyForGit)?;
        let bucket = s3.unwrap_or_default();
        bucket::check_name(&bucket).map_err(|problem| problem.of(CodeField::S3))?;
        let key = key.filter(|key| !key.is_empty());
        if let Some(key) = &key {
            bucket::check_key(key).map_err(|problem| problem.of(CodeField::Key))?;
        }
        if let Some(endpoint) = &endpoint {
            policy.check_endpoint(endpoint).map_err(|problem| problem.of(CodeField::Endpoint))?;
        }
        if let Some(region) = &region {
            bucket::check_region(region).map_err(|problem| problem.of(CodeField::Region))?;
        }
        Ok(S3Code { bucket, key, endpoint, region })
    }
}

/// Reads the plain form: with `://` or beginning with `git@` it is git, `s3://bucket/key` is S3, anything
/// else is a bucket's name.
///
/// # Errors
///
/// What does not do about it; the field is always [`CodeField::Code`].
pub fn parse_plain(text: &str, policy: &CodePolicy) -> Result<Code, InvalidCode> {
    let request = if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        CodeRequest { s3: Some(bucket.to_owned()), key: Some(key.to_owned()), ..CodeRequest::default() }
    } else if text.contains("://") || text.contains("::") || text.starts_with("git@") {
        CodeRequest { git: Some(text.to_owned()), ..CodeRequest::default() }
    } else {
        CodeRequest { s3: Some(text.to_owned()), ..CodeRequest::default() }
    };
    request.parse(policy).map_err(|invalid| invalid.problem.of(CodeField::Code))
}

/// Checks code that was parsed once again: the operator may have narrowed the policy since.
///
/// # Errors
///
/// The first field that does not do any more.
pub fn recheck(code: &Code, policy: &CodePolicy) -> Result<(), InvalidCode> {
    let request = match code.clone() {
        Code::Git(GitCode { url, reference, path }) => {
            CodeRequest { git: Some(url), reference, path, ..CodeRequest::default() }
        }
        Code::S3(S3Code { bucket, key, endpoint, region }) => {
            CodeRequest { s3: Some(bucket), key, endpoint, region, ..CodeRequest::default() }
        }
    };
    request.parse(policy).map(drop)
}

impl From<InvalidCode> for CodeError {
    fn from(invalid: InvalidCode) -> Self {
        Self::Refused(invalid.to_string())
    }
}

fn absent(value: Option<&String>, field: CodeField, problem: CodeProblem) -> Result<(), InvalidCode> {
    value.map_or(Ok(()), |_| Err(problem.of(field)))
}

#[cfg(test)]
mod tests;
