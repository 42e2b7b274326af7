//! What a person can do about it.

use super::CloudError;

impl CloudError {
    pub(super) fn advice(&self) -> Option<String> {
        if let "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" = self.code.as_str() {
            let lacks = self.missing_permission().unwrap_or("a permission");
            return Some(format!(
                "the control plane's role lacks {lacks}: see control-plane.json in docs/aws.md"
            ));
        }
        advice(&self.code).map(str::to_owned)
    }

    /// The action that a refusal names, `… is not authorized to perform: ec2:RunInstances on resource …`, or else what
    /// was asked for.
    fn missing_permission(&self) -> Option<&str> {
        let named =
            self.message.split_once("to perform: ").and_then(|(_, rest)| rest.split_whitespace().next());
        named
            .filter(|action| action.contains(':'))
            .or((!self.action.is_empty()).then_some(self.action.as_str()))
    }
}

fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        CloudError::NO_CREDENTIALS => {
            "give the control plane credentials: in its environment, in ~/.aws, or as its container's or instance's role"
        }
        CloudError::CREDENTIALS_AWAY => {
            "where the control plane's credentials come from does not answer: it is tried again"
        }
        "AuthFailure"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch" => "the control plane's credentials are not valid: correct them",
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "RequestTimeTooSkewed" => {
            "the control plane's credentials have expired, or its clock is wrong"
        }
        "OptInRequired" | "PendingVerification" => "the account may not use this yet: ask AWS",
        "AddressLimitExceeded" => "the quota of Elastic IPs is used up: ask AWS for more, or remove sites",
        "InstanceLimitExceeded" | "VcpuLimitExceeded" => {
            "the quota of instances is used up: ask AWS for more, or remove sites"
        }
        "SecurityGroupLimitExceeded" => "the quota of security groups is used up: ask AWS for more",
        "VolumeLimitExceeded" | "MaxIOPSLimitExceeded" => "the quota of volumes is used up: ask AWS for more",
        "InsufficientInstanceCapacity" | "InsufficientAddressCapacity" => {
            "AWS has none left there for now: allow another instance type or zone, or wait"
        }
        "InsufficientFreeAddressesInSubnet" => {
            "the subnets have no address left: name larger ones or more in aws.subnets"
        }
        "NoSuchBucket" => "aws.bucket names none: make it, or correct the name",
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "aws.bucket is in another region than aws.region"
        }
        CloudError::PRIOR_CHANGE => {
            "Route 53 still works on an earlier change of the zone, perhaps somebody else's: it is tried again"
        }
        "NoSuchHostedZone" => "aws.zone names none: make it, or correct the id",
        "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed" | "InvalidAMIID.Unavailable" => {
            "aws.image names no AMI of this region"
        }
        "InvalidSubnetID.NotFound" => "aws.subnets names one that is not there",
        "InvalidVpcID.NotFound" => "aws.vpc names none of this region",
        _ => return None,
    })
}
