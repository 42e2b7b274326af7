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

    use wpaas_core::converge::Part;
    use wpaas_core::id::SiteId;

    use crate::key::{Keys, Note};
    use crate::limiter::Call;
    use crate::testing::{Ask, Policy};

    /// What goes with calls of ours: tags are given when a thing is made, and an instance gets its role.
    const BESIDES: [&str; 2] = ["ec2:CreateTags", "iam:PassRole"];

    fn policy(heading: &str) -> Policy {
        Policy::read(Policy::documented(heading)).unwrap()
    }

    fn allowed(policy: &Policy) -> BTreeSet<String> {
        policy.actions().map(str::to_owned).collect()
    }

    #[test]
    fn the_control_planes_policy_allows_what_it_does_and_nothing_else() {
        let does = Call::ALL.map(Call::action).into_iter();
        let does = does.chain(super::ALL.into_iter().chain(BESIDES).map(str::to_owned));
        assert_eq!(allowed(&policy("control-plane.json")), does.collect());
    }

    /// What the nodes' policy says to the instance `i-own` of the role `AROA1`.
    fn lets_a_node(action: &str, resource: &str, prefix: Option<&str>) -> bool {
        let known = [("aws:userid", Some("AROA1:i-own")), ("s3:prefix", prefix)];
        let known = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
        let (action, resource) = (action.to_owned(), resource.to_owned());
        policy("node-role.json").allows(&Ask { action, resource, context: known.collect() })
    }

    #[test]
    fn the_nodes_policy_lets_each_do_what_its_machine_does_and_nothing_else() {
        let (get, put, delete) = (super::GET_OBJECT, super::PUT_OBJECT, super::DELETE_OBJECT);
        let all = [get, put, delete, super::LIST_BUCKET].map(str::to_owned);
        assert_eq!(allowed(&policy("node-role.json")), all.into());
        let (keys, segment) = (Keys::new("prod", "AROA1"), "0123456789abcdef0123456789abcdef");
        let note = Note {
            site: SiteId::new(),
            part: Part::UploadsVolume,
            mark: (1, 1),
            segment: segment.to_owned(),
            whole: true,
            since: 0,
        };
        let release = keys.release(segment, Part::Release([1; 6]));
        let upload = keys.uploads(segment) + "2026/a.jpg";
        for (key, may) in [
            (keys.node("i-own"), &[get][..]),
            (keys.node("i-another"), &[]),
            (keys.report("i-own"), &[put]),
            (keys.report("i-another"), &[]),
            (keys.hosts(segment), &[get]),
            (crate::user_data::setup_key("prod"), &[get]),
            (release, &[get]),
            (upload, &[get, put, delete]),
            (keys.note(&note), &[]),
        ] {
            for action in [get, put, delete] {
                let lets = lets_a_node(action, &format!("arn:aws:s3:::example-wpaas/{key}"), None);
                assert_eq!(lets, may.contains(&action), "{action} {key}");
            }
        }
        let lists =
            |prefix: Option<&str>| lets_a_node(super::LIST_BUCKET, "arn:aws:s3:::example-wpaas", prefix);
        assert!(lists(Some(&keys.uploads(segment))), "as rclone does");
        for prefix in [None, Some("prod/uploads/"), Some("prod/nodes/"), Some(""), Some("prod/parts/")] {
            assert!(!lists(prefix), "{prefix:?} names other sites");
        }
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
