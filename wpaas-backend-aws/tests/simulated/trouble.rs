//! What an account lacks or refuses is said of the site by its name, asked for again at a slow pace, and leaves nothing
//! half made.

use std::time::Duration;

use tokio::time::sleep;
use wpaas_backend_aws::cloud::CloudError;
use wpaas_backend_aws::testing::{Fault, Simulator};
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{Part, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::{One, Three};
use wpaas_core::site::{ConditionKind, Truth};

use crate::front::Front;
use crate::lab::Lab;

/// What stays until somebody changes something: a call, AWS's code, and what is said of it.
const REFUSALS: [(&str, &str, &str); 11] = [
    ("CreateSecurityGroup", "UnauthorizedOperation", "lacks ec2:CreateSecurityGroup"),
    ("AuthorizeSecurityGroupIngress", "UnauthorizedOperation", "lacks ec2:AuthorizeSecurityGroupIngress"),
    ("AllocateAddress", "UnauthorizedOperation", "lacks ec2:AllocateAddress"),
    ("CreateVolume", "UnauthorizedOperation", "lacks ec2:CreateVolume"),
    ("RunInstances", "UnauthorizedOperation", "lacks ec2:RunInstances"),
    ("AttachVolume", "UnauthorizedOperation", "lacks ec2:AttachVolume"),
    ("AssociateAddress", "UnauthorizedOperation", "lacks ec2:AssociateAddress"),
    ("PutObject", "AccessDenied", "the control plane's role lacks"),
    ("PutObject", "NoSuchBucket", "aws.bucket names none"),
    ("DescribeImages", "InvalidAMIID.NotFound", "aws.image names no AMI"),
    ("RunInstances", "InvalidSubnetID.NotFound", "aws.subnets names one that is not there"),
];

/// What may pass by itself.
const SHORTAGES: [(&str, &str, &str); 6] = [
    ("AllocateAddress", "AddressLimitExceeded", "the quota of Elastic IPs is used up"),
    ("CreateSecurityGroup", "SecurityGroupLimitExceeded", "the quota of security groups is used up"),
    ("CreateVolume", "VolumeLimitExceeded", "the quota of volumes is used up"),
    ("RunInstances", "VcpuLimitExceeded", "the quota of instances is used up"),
    ("RunInstances", "InsufficientInstanceCapacity", "AWS has none left there for now"),
    ("RunInstances", "InsufficientFreeAddressesInSubnet", "the subnets have no address left"),
];

/// One hour of it; then one site is given up while it lasts, and the other comes up once it is over.
async fn hour_of((call, code, says): (&str, &'static str, &str), at_most: u64) {
    let what = format!("{call} {code}");
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    aws.refuse(call, code);
    let [given_up, patient] = [(); 2].map(|()| lab.site(wanted(1, One)));
    sleep(Duration::from_secs(3600)).await;
    for site in [given_up, patient] {
        let says_when = |lab: &Lab| lab.found(site).is_some_and(|found| found.next_try.is_some());
        lab.until(&format!("{what}: it says when it tries again"), 5, says_when).await;
        let error = lab.found(site).unwrap().last_error.unwrap_or_default();
        assert!(error.contains(code) && error.contains(says), "{what}: {error}");
        let (truth, message) = lab.condition(site, ConditionKind::Ready).unwrap();
        assert!(truth == Truth::False && message.contains(says), "{what}: {truth:?} {message}");
    }
    let asked = aws.calls()[call];
    assert!(asked <= at_most, "{what}: asked {asked} times in an hour");
    lab.change(given_up, Wanted::Gone);
    lab.until(&what, 60, |lab| lab.is_gone(given_up)).await;
    aws.permit(call);
    lab.ready(patient).await;
    assert_eq!(aws.living(), [4, 1, 2, 1], "{what}: nothing half made is left");
    lab.change(patient, Wanted::Gone);
    lab.until(&what, 60, |lab| lab.is_gone(patient)).await;
    assert_eq!(aws.living(), [0; 4], "{what}");
    let left = |lab: &Lab| lab.aws.keys().iter().any(|key| !key.starts_with("lab/setup/"));
    lab.until(&what, 90, |lab| !left(lab)).await;
}

/// Four parts of a site can meet it, each at the first try and every ten minutes.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_named_and_tried_again_rarely_until_it_is_mended() {
    for (_, refusal) in REFUSALS.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        hour_of(refusal, 2 * 4 * 8).await;
    }
}

/// Three parts of a site can meet it, each once a minute in each of three zones and as two types.
#[tokio::test(start_paused = true)]
async fn a_shortage_is_named_and_waited_for() {
    for (_, shortage) in SHORTAGES.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        hour_of(shortage, 2 * 3 * 70 * 6).await;
    }
}

/// What keeps the backend from seeing anything: the calls that meet it, AWS's code, and what is said of it.
const BLIND: [(&[&str], &str, &str); 6] = [
    (&EVERYTHING, "AuthFailure", "the control plane's credentials are not valid"),
    (&EVERYTHING, CloudError::NO_CREDENTIALS, "give the control plane credentials"),
    (&EVERYTHING, "ExpiredToken", "the control plane's credentials have expired"),
    (&["DescribeInstances"], "UnauthorizedOperation", "lacks ec2:DescribeInstances"),
    (&["ListObjectsV2"], "NoSuchBucket", "aws.bucket names none"),
    (&["ListObjectsV2"], "AccessDenied", "the control plane's role lacks"),
];
const EVERYTHING: [&str; 10] = [
    "DescribeInstances",
    "DescribeVolumes",
    "DescribeSecurityGroups",
    "DescribeAddresses",
    "RunInstances",
    "TerminateInstances",
    "ListObjectsV2",
    "GetObject",
    "PutObject",
    "DeleteObjects",
];

/// An hour of it while a site serves, another is new, and a third is to go.
async fn blind_hour_of((calls, code, says): (&[&str], &'static str, &str)) {
    let what = format!("{calls:?} {code}");
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let [serves, leaves] = [(); 2].map(|()| lab.site(wanted(1, One)));
    lab.ready(serves).await;
    lab.ready(leaves).await;
    for call in calls {
        aws.refuse(call, code);
    }
    let new = lab.site(wanted(1, One));
    lab.change(leaves, Wanted::Gone);
    let before = aws.calls();
    sleep(Duration::from_secs(3600)).await;
    for site in [serves, new, leaves] {
        let (truth, message) = lab.condition(site, ConditionKind::Ready).unwrap();
        assert!(truth == Truth::Unknown && message.contains(says), "{what}: {truth:?} {message}");
        assert!(message.contains(code) || code == CloudError::NO_CREDENTIALS, "{what}: {message}");
    }
    let asked = |call: &str| aws.calls()[call] - before[call];
    // What may pass by itself is looked for every other second, what a person must mend twice a minute.
    let at_most = if code == "ExpiredToken" { 2000 } else { 130 };
    assert!(asked("DescribeInstances") <= at_most, "{what}: {}", asked("DescribeInstances"));
    assert_eq!((asked("RunInstances"), asked("CreateVolume")), (0, 0), "{what}");
    assert_eq!(aws.living(), [8, 2, 4, 2], "{what}: what runs goes on");
    for call in calls {
        aws.permit(call);
    }
    lab.ready(new).await;
    lab.ready(serves).await;
    lab.until(&what, 60, |lab| lab.is_gone(leaves)).await;
    assert_eq!(aws.living(), [8, 2, 4, 2], "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_keeps_the_backend_from_seeing_anything_is_named_on_every_site() {
    for (_, trouble) in BLIND.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        blind_hour_of(trouble).await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_aws_has_no_instance_left_another_zone_and_another_type_are_tried() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    aws.fail("RunInstances", Fault::Refuse("InsufficientInstanceCapacity"));
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    assert_eq!(aws.calls()["RunInstances"], 5, "one more than there are nodes: elsewhere there are some");
    let before = aws.launched().matches("t4g.medium").count();
    aws.sell_out("t4g.small", None);
    let other = lab.site(wanted(2, Three));
    lab.ready(other).await;
    let medium = aws.launched().matches("t4g.medium").count();
    assert_eq!(medium - before, 5, "all but the gateways are of another type");
    assert_eq!(aws.living(), [11, 4, 4, 2]);
}

/// What a part was launched as, and where.
fn launched(lab: &Lab, site: SiteId, part: Part) -> (String, String) {
    let launch = lab.aws.launch(&lab.instances(site, part)[0]).unwrap();
    (launch.instance_type, launch.subnet)
}

#[tokio::test(start_paused = true)]
async fn where_one_zone_has_none_left_another_is_taken_and_a_database_stays_with_its_volume() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let at = |kind: &str, zone: &str| (kind.to_owned(), format!("subnet-{zone}"));
    let before = lab.site(wanted(2, One));
    lab.ready(before).await;
    assert_eq!(launched(&lab, before, Part::Wordpress(0)), at("t4g.small", "a"));
    assert_eq!(launched(&lab, before, Part::Wordpress(1)), at("t4g.small", "b"));
    aws.sell_out("t4g.small", Some("eu-test-1a"));
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    assert_eq!(
        launched(&lab, site, Part::Wordpress(0)),
        at("t4g.small", "b"),
        "the preferred type elsewhere"
    );
    assert_eq!(launched(&lab, site, Part::Wordpress(1)), at("t4g.small", "b"));
    assert_eq!(
        launched(&lab, site, Part::Database(0)),
        at("t4g.medium", "a"),
        "another type where its volume is"
    );
    assert_eq!(launched(&lab, site, Part::Database(1)), at("t4g.small", "b"));
    assert_eq!(aws.living(), [5 + 7, 1 + 3, 2 + 2, 1 + 1]);
}

/// As where the account's key for volumes can't be used: `RunInstances` says nothing of it.
#[tokio::test(start_paused = true)]
async fn why_ec2_ends_instances_by_itself_is_said_and_the_next_come_ever_more_seldom() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    aws.end_launches(Some(CloudError::new("VolumeLimitExceeded", "Volume limit exceeded")));
    let site = lab.site(wanted(1, One));
    sleep(Duration::from_secs(3600)).await;
    let says = "the quota of volumes is used up";
    lab.until("it is said", 20, |lab| {
        lab.condition(site, ConditionKind::Ready)
            .is_some_and(|(truth, text)| truth == Truth::False && text.contains(says))
    })
    .await;
    let launched = aws.launched().matches("instance_type: ").count();
    assert!((4..=4 * 9).contains(&launched), "{launched} instances of four nodes in an hour");
    let asked = aws.calls()["RunInstances"];
    assert_eq!(asked, launched as u64, "nobody asks with the tokens of those that have ended");
    assert_eq!(aws.living()[0], 0);
    aws.end_launches(None);
    lab.ready(site).await;
    assert_eq!(aws.living(), [4, 1, 2, 1]);
}

/// What a site that goes asks for, refused: a call, AWS's code, and what is said of it.
const REFUSED_REMOVALS: [(&str, &str, &str); 6] = [
    ("TerminateInstances", "UnauthorizedOperation", "lacks ec2:TerminateInstances"),
    ("DeleteVolume", "UnauthorizedOperation", "lacks ec2:DeleteVolume"),
    ("DeleteSecurityGroup", "UnauthorizedOperation", "lacks ec2:DeleteSecurityGroup"),
    ("ReleaseAddress", "UnauthorizedOperation", "lacks ec2:ReleaseAddress"),
    ("DeleteObjects", "AccessDenied", "the control plane's role lacks"),
    ("ListObjectsV2", "AccessDenied", "the control plane's role lacks"),
];

/// An hour of it while a site goes and another serves.
async fn removal_refused((call, code, says): (&str, &'static str, &str)) {
    let what = format!("{call} {code}");
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let [leaves, serves] = [(); 2].map(|()| lab.site(wanted(1, One)));
    lab.ready(leaves).await;
    lab.ready(serves).await;
    aws.refuse(call, code);
    lab.change(leaves, Wanted::Gone);
    let before = aws.calls().get(call).copied().unwrap_or_default();
    sleep(Duration::from_secs(3600)).await;
    let (truth, message) = lab.condition(leaves, ConditionKind::Ready).unwrap();
    let told = lab.found(leaves).unwrap().last_error.unwrap_or_default() + &message;
    assert!(truth != Truth::True && told.contains(code) && told.contains(says), "{what}: {truth:?} {told}");
    let asked = aws.calls()[call] - before;
    // A removal is asked for again every ten minutes for each part. Reports are looked for every two seconds.
    let at_most = if call == "ListObjectsV2" { 1800 + 130 } else { 2 * 4 * 8 };
    assert!(asked <= at_most, "{what}: asked {asked} times in an hour");
    aws.permit(call);
    lab.until(&what, 60, |lab| lab.is_gone(leaves)).await;
    lab.ready(serves).await;
    assert_eq!(aws.living(), [4, 1, 2, 1], "{what}: the other site is left alone");
}

#[tokio::test(start_paused = true)]
async fn a_refused_removal_is_named_and_done_once_it_is_allowed() {
    for (_, refusal) in REFUSED_REMOVALS.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        removal_refused(refusal).await;
    }
}
