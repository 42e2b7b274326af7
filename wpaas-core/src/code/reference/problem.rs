use std::fmt;

/// A field of the structured form, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeField {
    /// `code`: the plain form, or the whole.
    Code,
    /// `code.git`
    Git,
    /// `code.ref`
    Ref,
    /// `code.path`
    Path,
    /// `code.s3`: the bucket.
    S3,
    /// `code.key`
    Key,
    /// `code.endpoint`
    Endpoint,
    /// `code.region`
    Region,
}

impl CodeField {
    /// The field's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Git => "code.git",
            Self::Ref => "code.ref",
            Self::Path => "code.path",
            Self::S3 => "code.s3",
            Self::Key => "code.key",
            Self::Endpoint => "code.endpoint",
            Self::Region => "code.region",
        }
    }
}

impl fmt::Display for CodeField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Code that can't be taken: which field, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidCode {
    /// Where.
    pub field: CodeField,
    /// Why.
    pub problem: CodeProblem,
}

/// What does not do about a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeProblem {
    /// Nothing in it.
    #[error("must not be empty")]
    Empty,
    /// More bytes than this.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// A line break, a NUL, a tab…
    #[error("must hold no control characters")]
    ControlCharacter,
    /// It could be taken for an option.
    #[error("must not begin with a hyphen")]
    LeadingHyphen,
    /// Credentials where everybody sees them.
    #[error("must hold no user or password: give the secret as code.credential")]
    UserOrPassword,
    /// A way of fetching that is not open to customers.
    #[error("{0}: is not allowed; use https://…, ssh://… or git@host:path")]
    Scheme(String),
    /// Not a git URL at all.
    #[error("must be a git URL: https://…, ssh://… or git@host:path")]
    NotAUrl,
    /// Not a host name or address.
    #[error("must name a host: a DNS name or an IP address")]
    Host,
    /// A port that nobody can listen on.
    #[error("must not have port 0")]
    Port,
    /// What follows a `?` or a `#`.
    #[error("must have no query and no fragment")]
    QueryOrFragment,
    /// A character that has no place in a URL, or one that is percent-encoded to hide what it is.
    #[error("must be a plain URL: no spaces, backslashes, non-ASCII letters or encoded dots and slashes")]
    Characters,
    /// Not a name git would take.
    #[error("must be a branch, a tag or a full commit id, as git allows them to be named")]
    RefName,
    /// A path that leaves the repository or could.
    #[error("must be a folder in the repository: relative, with / between names, without . or ..")]
    RelativePath,
    /// Not a bucket's name.
    #[error(
        "must be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending \
         with a letter or digit"
    )]
    BucketName,
    /// Not a key that can be asked for safely.
    #[error("must be an object's key without . or .. between slashes")]
    Key,
    /// Not on the operator's list.
    #[error("is not an endpoint that this server's operator allows")]
    EndpointNotAllowed,
    /// Not a region's name.
    #[error("must be a region's name, such as eu-central-1")]
    Region,
    /// Two places at once.
    #[error("must have either git or s3, not both")]
    GitAndS3,
    /// No place at all.
    #[error("must have git (a URL) or s3 (a bucket's name)")]
    NeitherGitNorS3,
    /// A field of the other form.
    #[error("goes with code.git only")]
    OnlyForGit,
    /// A field of the other form.
    #[error("goes with code.s3 only")]
    OnlyForS3,
}

impl CodeProblem {
    /// The same, with the field it was found in.
    #[must_use]
    pub const fn of(self, field: CodeField) -> InvalidCode {
        InvalidCode { field, problem: self }
    }
}
