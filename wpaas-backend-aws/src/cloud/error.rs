use std::time::Duration;

use wpaas_core::converge::{BackendError, ErrorClass};

/// What AWS answered instead of doing it, or that it did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CloudError {
    /// AWS's own code; empty when no answer came: then it may have been done.
    pub code: String,
    /// AWS's own words.
    pub message: String,
}

/// How long the whole backend pauses when AWS throttles it although it paces itself: somebody else uses the
/// account.
const PAUSE: Duration = Duration::from_secs(10);

impl CloudError {
    /// An answer.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// No answer.
    pub fn unanswered(message: impl Into<String>) -> Self {
        Self { code: String::new(), message: message.into() }
    }

    /// Whether this is AWS's code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether what was named by its id is not there: `InvalidInstanceID.NotFound`, `InvalidVolume.NotFound`…
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let code = self.code.as_str();
        code.ends_with(".NotFound")
            || matches!(code, "InvalidGroup.NotFound" | "InvalidAllocationID.NotFound")
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
            "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AuthFailure"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "RequestExpired"
            | "OptInRequired"
            | "PendingVerification"
            | "NoSuchBucket"
            | "NoSuchHostedZone"
            | "InvalidChangeBatch"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "MissingParameter"
            | "InvalidAMIID.NotFound"
            | "InvalidAMIID.Malformed"
            | "InvalidSubnetID.NotFound"
            | "InvalidVpcID.NotFound"
            | "InvalidInput"
            | "Unsupported" => ErrorClass::Permanent,
            code if code.ends_with(".NotFound") => ErrorClass::Conflict,
            // Quotas and capacity among them: they pass when somebody frees or asks for more.
            _ => ErrorClass::Transient,
        }
    }

    /// As the converger takes it: what could not be done, and what to do about it.
    #[must_use]
    pub fn because(self, what: impl std::fmt::Display) -> BackendError {
        let advice = self.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
        let code = if self.code.is_empty() { "no answer" } else { &self.code };
        BackendError::new(self.class(), format!("{what}: AWS says {code}, {}{advice}", self.message.trim()))
    }

    /// What a person can do.
    fn advice(&self) -> Option<String> {
        let text = match self.code.as_str() {
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
                return Some(match missing_permission(&self.message) {
                    Some(action) => {
                        format!("the control plane's role lacks {action}: see the policy in docs/aws.md")
                    }
                    None => "the control plane's role lacks a permission: see the policy in docs/aws.md"
                        .to_owned(),
                });
            }
            "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" => {
                "the control plane's credentials are not valid: check them, and the clock"
            }
            "AddressLimitExceeded" => {
                "the quota of Elastic IPs is used up: ask AWS for more, or remove sites"
            }
            "InstanceLimitExceeded" | "VcpuLimitExceeded" => {
                "the quota of instances is used up: ask AWS for more, or remove sites"
            }
            "SecurityGroupLimitExceeded" => "the quota of security groups is used up: ask AWS for more",
            "VolumeLimitExceeded" | "MaxIOPSLimitExceeded" => {
                "the quota of volumes is used up: ask AWS for more"
            }
            "InsufficientInstanceCapacity" | "InsufficientAddressCapacity" => {
                "AWS has none left there for now: allow another instance type or zone, or wait"
            }
            "NoSuchBucket" => "aws.bucket names none: make it, or correct the name",
            "NoSuchHostedZone" => "aws.zone names none: make it, or correct the id",
            "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed" => "aws.image names no AMI of this region",
            "InvalidSubnetID.NotFound" => "aws.subnets names one that is not there",
            "InvalidVpcID.NotFound" => "aws.vpc names none of this region",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The action that a refusal names: `… is not authorized to perform: ec2:RunInstances on resource …`.
fn missing_permission(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("to perform: ")?;
    let action = rest.split_whitespace().next()?;
    action.contains(':').then_some(action)
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
    fn what_follows_from_a_code() {
        let class = |code: &str| CloudError::new(code, "").class();
        assert_eq!(class("RequestLimitExceeded"), ErrorClass::Throttled { retry_after: Some(PAUSE) });
        assert_eq!(class("InvalidInstanceID.NotFound"), ErrorClass::Conflict);
        assert_eq!(class("InvalidSubnetID.NotFound"), ErrorClass::Permanent);
        assert_eq!(class("AddressLimitExceeded"), ErrorClass::Transient);
        assert_eq!(class(""), ErrorClass::Transient);
        assert!(CloudError::new("InvalidVolume.NotFound", "").is_not_found());
        let quota = CloudError::new("AddressLimitExceeded", "too many").because("making the network");
        assert!(quota.message.contains("ask AWS for more"), "{quota}");
    }
}
