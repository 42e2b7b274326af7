use std::time::Duration;

use wpaas_core::converge::{BackendError, ErrorClass};

mod advice;

/// What AWS answered instead of doing it, or that it did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CloudError {
    /// AWS's own code, or one of ours below; empty when no answer came: then it may have been done.
    pub code: String,
    /// AWS's own words.
    pub message: String,
    /// What was asked for, as policies name it: `ec2:RunInstances`. Empty where nobody said.
    pub action: String,
}

/// How long the whole backend pauses when AWS throttles it although it paces itself: somebody else uses the
/// account.
const PAUSE: Duration = Duration::from_secs(10);
/// A hosted zone takes one change at a time; the one before is through in about this time.
const ZONE_PAUSE: Duration = Duration::from_secs(5);

impl CloudError {
    /// The code where the SDK's chain finds no credentials at all: nothing was asked of AWS.
    pub const NO_CREDENTIALS: &str = "NoCredentials";
    /// The code where credentials can't be had just now, as from an instance's metadata.
    pub const CREDENTIALS_AWAY: &str = "CredentialsUnavailable";
    /// Route 53's code while it works on an earlier change of the same zone.
    pub const PRIOR_CHANGE: &str = "PriorRequestNotComplete";

    /// An answer.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), action: String::new() }
    }

    /// No answer.
    pub fn unanswered(message: impl Into<String>) -> Self {
        Self::new("", message)
    }

    /// The answer to this, unless it says to what already.
    #[must_use]
    pub fn to(mut self, action: impl Into<String>) -> Self {
        if self.action.is_empty() {
            self.action = action.into();
        }
        self
    }

    /// Whether this is AWS's code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether what was named by its id is not there: `InvalidInstanceID.NotFound`, `InvalidVolume.NotFound`…
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code.ends_with(".NotFound")
    }

    /// The verdict on it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self.code.as_str() {
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "SlowDown"
            | "TooManyRequests"
            | "EC2ThrottledException" => ErrorClass::Throttled { retry_after: Some(PAUSE) },
            Self::PRIOR_CHANGE => ErrorClass::Throttled { retry_after: Some(ZONE_PAUSE) },
            "DependencyViolation"
            | "IncorrectState"
            | "IncorrectInstanceState"
            | "VolumeInUse"
            | "InvalidGroup.InUse"
            | "InvalidGroup.Duplicate"
            | "PreconditionFailed"
            | "ConditionalRequestConflict"
            | "IdempotentParameterMismatch"
            | "IdempotentInstanceTerminated"
            | "InvalidIPAddress.InUse"
            | "Resource.AlreadyAssociated" => ErrorClass::Conflict,
            Self::NO_CREDENTIALS
            | "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AuthFailure"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "OptInRequired"
            | "PendingVerification"
            | "NoSuchBucket"
            | "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "NoSuchHostedZone"
            | "InvalidChangeBatch"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "MissingParameter"
            | "InvalidAMIID.NotFound"
            | "InvalidAMIID.Malformed"
            | "InvalidAMIID.Unavailable"
            | "InvalidSubnetID.NotFound"
            | "InvalidVpcID.NotFound"
            | "InvalidInput"
            | "Unsupported" => ErrorClass::Permanent,
            code if code.ends_with(".NotFound") => ErrorClass::Conflict,
            // Quotas and capacity among them: they pass when somebody frees or asks for more. Temporary credentials
            // that have expired are renewed.
            _ => ErrorClass::Transient,
        }
    }

    /// As the converger takes it: what could not be done, and what to do about it.
    #[must_use]
    pub fn because(self, what: impl std::fmt::Display) -> BackendError {
        let advice = self.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
        let says = match self.code.as_str() {
            "" => "AWS gives no answer".to_owned(),
            Self::NO_CREDENTIALS | Self::CREDENTIALS_AWAY => "AWS can't be asked".to_owned(),
            code => format!("AWS says {code}"),
        };
        BackendError::new(self.class(), format!("{what}: {says}, {}{advice}", self.words()))
    }

    /// AWS's words, without what only AWS can read.
    fn words(&self) -> &str {
        let encoded = self.message.find("Encoded authorization failure message");
        self.message[..encoded.unwrap_or(self.message.len())].trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_named() {
        let message = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ec2:RunInstances on \
                       resource: arn:aws:ec2:eu-west-1:1:instance/*";
        let error = CloudError::new("UnauthorizedOperation", message).because("making database-0");
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.message.contains("lacks ec2:RunInstances"), "{error}");
    }

    #[test]
    fn a_refusal_that_only_aws_can_read_names_what_was_asked_for() {
        let message =
            "You are not authorized to perform this operation. Encoded authorization failure message: 4Zx8";
        let error =
            CloudError::new("UnauthorizedOperation", message).to("ec2:CreateVolume").because("making it");
        assert_eq!(
            error.message,
            "making it: AWS says UnauthorizedOperation, You are not authorized to perform this operation. (the control \
             plane's role lacks ec2:CreateVolume: see control-plane.json in docs/aws.md)"
        );
    }

    #[test]
    fn what_follows_from_a_code() {
        let class = |code: &str| CloudError::new(code, "").class();
        assert_eq!(class("RequestLimitExceeded"), ErrorClass::Throttled { retry_after: Some(PAUSE) });
        assert_eq!(class("PriorRequestNotComplete"), ErrorClass::Throttled { retry_after: Some(ZONE_PAUSE) });
        assert_eq!(class("InvalidInstanceID.NotFound"), ErrorClass::Conflict);
        assert_eq!(class("InvalidSubnetID.NotFound"), ErrorClass::Permanent);
        assert_eq!(class("AddressLimitExceeded"), ErrorClass::Transient);
        assert_eq!(class("ExpiredToken"), ErrorClass::Transient, "temporary credentials are renewed");
        assert_eq!(class(""), ErrorClass::Transient);
        assert!(CloudError::new("InvalidVolume.NotFound", "").is_not_found());
        let quota = CloudError::new("AddressLimitExceeded", "too many").because("making the network");
        assert!(quota.message.contains("ask AWS for more"), "{quota}");
    }

    #[test]
    fn wrong_and_missing_credentials_stay_until_somebody_corrects_them() {
        for (code, todo) in [
            (CloudError::NO_CREDENTIALS, "give the control plane credentials"),
            ("InvalidAccessKeyId", "credentials are not valid"),
            ("AuthFailure", "credentials are not valid"),
            ("SignatureDoesNotMatch", "credentials are not valid"),
        ] {
            let error = CloudError::new(code, "no").because("listing");
            assert_eq!(error.class, ErrorClass::Permanent, "{code}");
            assert!(error.message.contains(todo), "{error}");
        }
        let away = CloudError::new(CloudError::CREDENTIALS_AWAY, "no").because("listing");
        assert_eq!(away.class, ErrorClass::Transient);
    }
}
