use std::time::Duration;

use tokio::time::sleep;
use wpaas_backend_aws::cloud::Launch;
use wpaas_backend_aws::testing::{Fault, Quotas, Simulator};
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{Part, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::front::Front;
use crate::lab::Lab;

const LISTINGS: [&str; 5] =
    ["DescribeInstances", "DescribeVolumes", "DescribeSecurityGroups", "DescribeAddresses", "ListObjectsV2"];
const CHANGES: [&str; 9] = [
    "RunInstances",
    "CreateVolume",
    "AttachVolume",
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "AllocateAddress",
    "AssociateAddress",
    "PutObject",
    "GetObject",
];

/// What is called when a site goes, besides listings.
const REMOVALS: [&str; 6] = [
    "TerminateInstances",
    "DeleteVolume",
    "DeleteSecurityGroup",
    "ReleaseAddress",
    "DeleteObjects",
    "GetObject",
];
const FAULTS: [Fault; 6] =
    [Fault::Throttle, Fault::Unavailable, Fault::Lose, Fault::Hang, Fault::Cut, Fault::Truncate];

/// Each of these calls, and of all listings, with each fault that it can meet.
fn cases(calls: &'static [&'static str]) -> impl Iterator<Item = (&'static str, Fault)> {
    let fits = |call, fault: &Fault| *fault != Fault::Truncate || LISTINGS.contains(&call);
    let of = move |call| FAULTS.into_iter().filter(move |fault| fits(call, fault)).map(move |it| (call, it));
    let all = LISTINGS.into_iter().chain(calls.iter().copied()).flat_map(of).enumerate();
    all.filter(|(n, _)| Front::takes(*n)).map(|(_, case)| case)
}

/// Ready, with nothing twice and nothing left over, and all of it can be removed.
async fn ends_well(lab: &Lab, site: SiteId, whole: [usize; 4], what: &str) {
    lab.ready(site).await;
    lab.until(what, 60, |lab| lab.aws.living() == whole && lab.is_ready(site)).await;
    lab.change(site, Wanted::Gone);
    leaves_nothing(lab, site, what).await;
}

/// What listings did not show twice may be there all the same, and goes when it is seen: the site's tombstone stays. What
/// nodes said while they ended goes an hour later.
async fn leaves_nothing(lab: &Lab, site: SiteId, what: &str) {
    lab.until(what, 120, |lab| lab.is_gone(site) && lab.aws.living() == [0; 4]).await;
    let left: Vec<_> = lab.aws.keys().into_iter().filter(|key| !key.contains("/setup/")).collect();
    assert!(left.iter().all(|key| key.contains("/reports/")), "{what}: {left:?}");
}

/// A change meets its fault when it is first asked for; a listing three times, once there is something to list.
#[tokio::test(start_paused = true)]
async fn every_call_may_meet_every_fault_on_the_way_up() {
    for (call, fault) in cases(&CHANGES) {
        let (aws, what) = (Simulator::default(), format!("{call} {fault:?}"));
        let lab = Lab::start(&aws).await;
        let site = lab.site(wanted(1, One));
        let times = if LISTINGS.contains(&call) { 3 } else { 1 };
        while times > 1 && !lists_something(&aws, call) {
            sleep(Duration::from_millis(10)).await;
        }
        (0..times).for_each(|_| aws.fail(call, fault.clone()));
        lab.until(&format!("{what} is met"), 5, |lab| lab.aws.faults_met(call) == times).await;
        assert!(!lab.is_ready(site), "{what}: it is met on the way up");
        ends_well(&lab, site, [4, 1, 2, 1], &what).await;
        assert!(are_in_their_groups(&aws), "{what}");
    }
}

/// Whether this listing has what a part of the site needs that is made next.
fn lists_something(aws: &Simulator, call: &str) -> bool {
    let [instances, volumes, groups, addresses] = aws.living();
    match call {
        "DescribeInstances" => instances > 0,
        "DescribeVolumes" => volumes > 0,
        "DescribeSecurityGroups" => groups == 2,
        "DescribeAddresses" => addresses > 0,
        _ => aws.keys().iter().any(|key| key.contains("/parts/")),
    }
}

/// Whether every instance that ever was was launched into the groups of its site: a gateway into both.
fn are_in_their_groups(aws: &Simulator) -> bool {
    let launches = aws.launches();
    let gateway = |launch: &Launch| launch.tags["wpaas:part"].starts_with("gateway");
    launches.iter().all(|launch| launch.groups.len() == if gateway(launch) { 2 } else { 1 })
}

#[tokio::test(start_paused = true)]
async fn every_call_may_meet_every_fault_on_the_way_out() {
    for (call, fault) in cases(&REMOVALS) {
        let (aws, what) = (Simulator::default(), format!("{call} {fault:?}"));
        let lab = Lab::start(&aws).await;
        let [site, other] = [(); 2].map(|()| lab.site(wanted(1, One)));
        lab.ready(site).await;
        lab.ready(other).await;
        aws.fail(call, fault.clone());
        lab.change(site, Wanted::Gone);
        lab.until(&format!("{what} is met"), 5, |lab| lab.aws.faults_met(call) == 1).await;
        assert!(!lab.is_gone(site) || !LISTINGS.contains(&call), "{what}: it is met on the way out");
        lab.until(&what, 120, |lab| lab.is_gone(site)).await;
        assert_eq!(aws.living(), [4, 1, 2, 1], "{what}: another site is left alone");
        lab.until(&what, 30, |lab| lab.is_ready(other)).await;
        lab.change(other, Wanted::Gone);
        leaves_nothing(&lab, other, &what).await;
    }
}

/// Twice in a row, so that what was lost is lost once more, and of three database nodes.
#[tokio::test(start_paused = true)]
async fn every_removal_may_be_lost_while_listings_lag() {
    for (_, call) in REMOVALS.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        let aws = Simulator::default();
        aws.set_lag(Duration::from_secs(15));
        let lab = Lab::start(&aws).await;
        let site = lab.site(wanted(1, Three));
        lab.ready(site).await;
        aws.fail(call, Fault::Lose);
        aws.fail(call, Fault::Lose);
        lab.change(site, Wanted::Gone);
        leaves_nothing(&lab, site, call).await;
        assert!(aws.faults_met(call) > 0, "{call} was not lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_that_goes_in_a_storm_of_faults_leaves_nothing() {
    for seed in (21..=32).filter(|seed| Front::takes(*seed)) {
        let seed = seed as u64;
        let aws = Simulator::default();
        aws.set_lag(Duration::from_secs(seed % 4 * 5));
        let lab = Lab::start(&aws).await;
        let site = lab.site(wanted(2, Three));
        lab.ready(site).await;
        aws.storm(4, seed);
        lab.change(site, Wanted::Gone);
        tokio::time::sleep(Duration::from_secs(1800)).await;
        aws.storm(0, 0);
        leaves_nothing(&lab, site, &format!("seed {seed}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_change_may_be_lost_while_listings_lag() {
    for (_, call) in CHANGES.into_iter().enumerate().filter(|(n, _)| Front::takes(*n)) {
        let aws = Simulator::default();
        aws.set_lag(Duration::from_secs(15));
        let lab = Lab::start(&aws).await;
        aws.fail(call, Fault::Lose);
        let site = lab.site(wanted(1, Three));
        ends_well(&lab, site, [6, 3, 2, 1], call).await;
        assert_eq!(aws.faults_met(call), 1, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_faults_ends_in_a_whole_site() {
    for seed in (1..=12).filter(|seed| Front::takes(*seed)) {
        let seed = seed as u64;
        let aws = Simulator::default();
        aws.set_lag(Duration::from_secs(seed % 4 * 5));
        aws.storm(8, seed);
        let lab = Lab::start(&aws).await;
        let site = lab.site(wanted(2, Three));
        tokio::time::sleep(Duration::from_secs(1800)).await;
        aws.storm(0, 0);
        ends_well(&lab, site, [7, 3, 2, 1], &format!("seed {seed}")).await;
    }
}

/// Nothing that serves is ended because a listing does not show it, or its files in the bucket.
#[tokio::test(start_paused = true)]
async fn a_listing_that_is_cut_short_ends_nothing() {
    for (call, fault) in cases(&[]).filter(|(_, fault)| matches!(fault, Fault::Truncate | Fault::Cut)) {
        let aws = Simulator::default();
        let lab = Lab::start(&aws).await;
        let site = lab.site(wanted(2, Three));
        lab.ready(site).await;
        sleep(Duration::from_secs(300)).await;
        let before = aws.calls();
        for _ in 0..5 {
            aws.fail(call, fault.clone());
            aws.fail(call, fault.clone());
            sleep(Duration::from_secs(31)).await;
        }
        aws.forget_faults();
        assert!(aws.faults_met(call) >= 5, "{call} {fault:?}: {}", aws.faults_met(call));
        sleep(Duration::from_secs(60)).await;
        for write in ["RunInstances", "TerminateInstances", "CreateVolume", "AllocateAddress"] {
            assert_eq!(aws.calls().get(write), before.get(write), "{call} {fault:?}: {write}");
        }
        lab.ready(site).await;
    }
}

/// Each listing of instances is cut short, without saying so.
#[tokio::test(start_paused = true)]
async fn while_listings_miss_much_of_what_was_there_nothing_is_removed() {
    let aws = Simulator::new(Quotas::raised());
    let lab = Lab::start(&aws).await;
    let sites: Vec<_> = (0..20).map(|_| lab.site(wanted(1, One))).collect();
    for site in &sites {
        lab.ready(*site).await;
    }
    let before = aws.calls().get("TerminateInstances").copied();
    let cut = || (0..50).for_each(|_| aws.fail("DescribeInstances", Fault::Truncate));
    cut();
    sleep(Duration::from_secs(90)).await;
    lab.change(sites[0], Wanted::Gone);
    for _ in 0..8 {
        cut();
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(aws.calls().get("TerminateInstances").copied(), before);
    assert!(aws.faults_met("DescribeInstances") > 30, "{}", aws.faults_met("DescribeInstances"));
    aws.forget_faults();
    lab.until("the site is gone", 40, |lab| lab.instances(sites[0], Part::Database(0)).is_empty()).await;
    for site in &sites[1..] {
        lab.ready(*site).await;
    }
    assert_eq!(aws.living()[0], 19 * 4);
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_is_said_and_waited_for() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let sites: Vec<_> = (0..6).map(|_| lab.site(wanted(1, One))).collect();
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let waiting: Vec<_> = sites.iter().copied().filter(|site| !lab.is_ready(*site)).collect();
    assert_eq!(waiting.len(), 1, "five addresses are allowed");
    let error = lab.found(waiting[0]).unwrap().last_error.unwrap();
    assert!(error.contains("AddressLimitExceeded") && error.contains("ask AWS for more"), "{error}");
    assert!(aws.calls()["AllocateAddress"] < 50, "no hot loop: {}", aws.calls()["AllocateAddress"]);
    let ready = sites.iter().copied().find(|site| lab.is_ready(*site)).unwrap();
    lab.change(ready, Wanted::Gone);
    lab.ready(waiting[0]).await;
}
