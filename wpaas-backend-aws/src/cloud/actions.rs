//! What each call of the port needs leave for, as policies name it. Those of EC2 are
//! [`Call::action`](crate::limiter::Call::action).

/// To list a bucket; without it S3 calls an object that is not there forbidden.
pub const LIST_BUCKET: &str = "s3:ListBucket";
/// To read an object.
pub const GET_OBJECT: &str = "s3:GetObject";
/// To write one.
pub const PUT_OBJECT: &str = "s3:PutObject";
/// To remove one or many.
pub const DELETE_OBJECT: &str = "s3:DeleteObject";
/// To read a hosted zone.
pub const LIST_RECORDS: &str = "route53:ListResourceRecordSets";
/// To change it.
pub const CHANGE_RECORDS: &str = "route53:ChangeResourceRecordSets";

/// To see when all its servers know.
pub const GET_CHANGE: &str = "route53:GetChange";

/// All of these.
pub const ALL: [&str; 7] =
    [LIST_BUCKET, GET_OBJECT, PUT_OBJECT, DELETE_OBJECT, LIST_RECORDS, CHANGE_RECORDS, GET_CHANGE];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use crate::limiter::Call;

    /// What goes with calls of ours: tags are given when a thing is made, and an instance gets its role.
    const BESIDES: [&str; 2] = ["ec2:CreateTags", "iam:PassRole"];

    /// The policy below this heading.
    fn policy(heading: &str) -> Value {
        let docs = include_str!("../../docs/aws.md");
        let (_, below) = docs.split_once(&format!("### {heading}\n")).unwrap();
        let (_, below) = below.split_once("```json\n").unwrap();
        let (policy, _) = below.split_once("```").unwrap();
        serde_json::from_str(policy).unwrap()
    }

    fn allowed(policy: &Value) -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let actions = statements.flat_map(|statement| match &statement["Action"] {
            Value::String(one) => vec![one.clone()],
            many => serde_json::from_value(many.clone()).unwrap(),
        });
        actions.collect()
    }

    #[test]
    fn the_control_planes_policy_allows_what_it_does_and_nothing_else() {
        let does = Call::ALL.map(Call::action).into_iter();
        let does = does.chain(super::ALL.into_iter().chain(BESIDES).map(str::to_owned));
        assert_eq!(allowed(&policy("control-plane.json")), does.collect());
    }

    #[test]
    fn every_request_of_the_adapters_says_what_it_needs_leave_for() {
        fn count(folder: &Path, text: &str) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let of = |path: &Path| {
                if path.is_dir() {
                    return count(path, text);
                }
                std::fs::read_to_string(path).unwrap().matches(text).count()
            };
            entries.map(|path| of(&path)).sum()
        }
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sdk");
        let requests = count(&sdk, ".send()");
        assert_eq!(requests, Call::ALL.len() + super::ALL.len() + 1, "objects are written in two ways");
        assert_eq!(count(&sdk, "map_err(failed("), requests);
    }
}
