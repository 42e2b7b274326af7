use std::fmt;

use jiff::SignedDuration;

use crate::account::Version;
use crate::credential::CredentialError;
use crate::keyring::KeyringError;
use crate::quota::QuotaExceeded;
use crate::store::StoreError;

/// Why a request was not done. The text says what, why and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// It is not there, or the actor may not know that it is.
    #[error("there is no such {what}")]
    NotFound {
        /// What was asked for.
        what: Noun,
    },
    /// The key or the password opens nothing.
    #[error("the key or password is not valid, or no longer")]
    Unauthenticated,
    /// Too many wrong passwords of this name in a row: none is looked at now, not even the right one.
    #[error("too many wrong passwords in a row; keys and sessions go on working meanwhile")]
    LockedOut {
        /// When one is.
        wait: SignedDuration,
    },
    /// The actor may see it, and may not do this.
    #[error("{why}")]
    Forbidden {
        /// What would be needed.
        why: &'static str,
    },
    /// The customer is suspended: it can only read.
    #[error("the customer is suspended: nothing can be changed until it is resumed")]
    CustomerSuspended,
    /// The customer is going away: it can only read, or cancel that.
    #[error("the customer is to be removed: nothing can be changed unless that is cancelled")]
    CustomerToBeRemoved,
    /// What is there stands against it.
    #[error("{message}")]
    Conflict {
        /// For programs.
        code: ConflictCode,
        /// For people.
        message: String,
    },
    /// The request with this idempotency key was done, and its server ended before it kept its answer.
    #[error(
        "the first request with this idempotency key was done, but its answer is lost: read {subject}, and use a new key \
         for anything else"
    )]
    AnswerLost {
        /// The id of what it was done to.
        subject: String,
    },
    /// A field of the request can't be as it is.
    #[error("{field}: {why}")]
    Invalid {
        /// Its path: `spec.num_instances`.
        field: &'static str,
        /// What it must be.
        why: String,
    },
    /// A quota would be passed.
    #[error("the quota of the {of} does not allow it")]
    QuotaExceeded {
        /// Whose quota: the org's or the space's.
        of: Noun,
        /// Which limit.
        #[source]
        limit: QuotaExceeded,
    },
    /// It was changed since the caller read it.
    #[error("it was changed since you read it (now version {current}): read it again and repeat the change")]
    VersionMismatch {
        /// What it is now.
        current: Version,
    },
    /// The store could not be reached, or is in the way of too many others.
    #[error("the store can't be read or written now; try again")]
    Unavailable(#[source] StoreError),
    /// A password could not be hashed or checked.
    #[error("passwords can't be handled now; try again")]
    Credential(#[source] CredentialError),
    /// A secret could not be sealed or opened.
    #[error("secrets can't be handled now")]
    Keyring(#[source] KeyringError),
}

/// What a request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Noun {
    Customer,
    Org,
    Space,
    User,
    Key,
    Site,
    Event,
    Usage,
    Webhook,
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customer => "customer",
            Self::Org => "org",
            Self::Space => "space",
            Self::User => "user",
            Self::Key => "API key",
            Self::Site => "site",
            Self::Event => "event",
            Self::Usage => "usage",
            Self::Webhook => "webhook",
        })
    }
}

/// Which conflict, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConflictCode {
    /// Another org of the customer has the name.
    OrgNameTaken,
    /// Another space of the org has the name.
    SpaceNameTaken,
    /// Another site of the org has the name.
    SiteNameTaken,
    /// A deleted site in its grace period keeps the name.
    NameInDeletion,
    /// Another user of the customer, or another customer, has the user name.
    UsernameTaken,
    /// The default org stays as long as its customer.
    DefaultOrg,
    /// The default space stays as long as its org.
    DefaultSpace,
    /// Something is inside.
    NotEmpty,
    /// The site's deletion protection is on.
    SiteProtected,
    /// The site is being deleted and can't be changed.
    SiteInDeletion,
    /// There is no deletion that could be taken back.
    NotInDeletion,
    /// The lifecycle does not allow it.
    WrongLifecycle,
    /// A space's quota would be above its org's.
    QuotaAboveOrg,
    /// An org is billed to the payment account.
    PaymentAccountUsed,
    /// There are as many webhooks as there may be.
    TooManyWebhooks,
    /// There is no release to go back to, or it failed when it was tried.
    ReleaseNotKept,
    /// No dump was taken that the database could go back to.
    NoDump,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// The request with this idempotency key is still being done.
    IdempotencyKeyInUse,
    /// The account at the identity provider signs somebody in already.
    LoginTaken,
    /// The identity has as many linked accounts as it may have.
    TooManyLogins,
    /// Others changed the same thing again and again meanwhile.
    Contention,
}

impl ConflictCode {
    /// The stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrgNameTaken => "org_name_taken",
            Self::SpaceNameTaken => "space_name_taken",
            Self::SiteNameTaken => "site_name_taken",
            Self::NameInDeletion => "name_in_deletion",
            Self::UsernameTaken => "username_taken",
            Self::DefaultOrg => "default_org",
            Self::DefaultSpace => "default_space",
            Self::NotEmpty => "not_empty",
            Self::SiteProtected => "site_protected",
            Self::SiteInDeletion => "site_in_deletion",
            Self::NotInDeletion => "not_in_deletion",
            Self::WrongLifecycle => "wrong_lifecycle",
            Self::QuotaAboveOrg => "quota_above_org",
            Self::PaymentAccountUsed => "payment_account_used",
            Self::TooManyWebhooks => "too_many_webhooks",
            Self::ReleaseNotKept => "release_not_kept",
            Self::NoDump => "no_dump",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::IdempotencyKeyInUse => "idempotency_key_in_use",
            Self::LoginTaken => "login_taken",
            Self::TooManyLogins => "too_many_logins",
            Self::Contention => "contention",
        }
    }
}

impl ServiceError {
    /// The stable code, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Unauthenticated => "unauthenticated",
            Self::LockedOut { .. } => "locked_out",
            Self::Forbidden { .. } => "forbidden",
            Self::CustomerSuspended => "customer_suspended",
            Self::CustomerToBeRemoved => "customer_to_be_removed",
            Self::Conflict { code, .. } => code.as_str(),
            Self::AnswerLost { .. } => "idempotency_answer_lost",
            Self::Invalid { .. } => "invalid",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::Credential(CredentialError::Busy) => "overloaded",
            Self::Unavailable(_) | Self::Credential(_) => "unavailable",
            Self::Keyring(_) => "internal",
        }
    }

    pub(crate) const fn not_found(what: Noun) -> Self {
        Self::NotFound { what }
    }

    pub(crate) fn invalid(field: &'static str, why: impl Into<String>) -> Self {
        Self::Invalid { field, why: why.into() }
    }

    pub(crate) fn conflict(code: ConflictCode, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
}
