use std::time::Duration;

use tokio::time::Instant;
use wpaas_backend_aws::limiter::Call;
use wpaas_backend_aws::testing::{Quotas, Simulator};
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{Part, Wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::front::Front;
use crate::lab::Lab;

/// Sites of seven instances. All of them by `WPAAS_TEST_FLEET=1000`; a few in the ordinary run.
fn sites() -> u32 {
    std::env::var("WPAAS_TEST_FLEET").ok().and_then(|text| text.parse().ok()).unwrap_or(Front::SITES)
}

/// What a site of seven instances takes to be made, and what AWS documents for it: calls at once, and a second.
const TAKES: [(&str, u32, u32, u32); 5] = [
    ("RunInstances", 7, 5, 2),
    ("CreateVolume", 3, 50, 5),
    ("AttachVolume", 3, 50, 5),
    ("CreateSecurityGroup", 2, 50, 5),
    ("AllocateAddress", 1, 50, 5),
];
/// What the last site takes when all that it asks for is granted at once: boots, listings, its nodes' way to each other.
const OWN: f64 = 120.0;

/// In how many seconds AWS takes what so many sites need, whoever asks in whatever order.
fn bound(sites: u32) -> f64 {
    let one = |(_, each, at_once, a_second): (&str, u32, u32, u32)| {
        f64::from((sites * each).saturating_sub(at_once)) / f64::from(a_second)
    };
    TAKES.into_iter().map(one).fold(0.0, f64::max)
}

#[tokio::test(start_paused = true)]
async fn a_site_alone_takes_no_longer_than_the_bound_grants_it() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let began = Instant::now();
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    assert!(began.elapsed().as_secs_f64() < OWN, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
#[expect(clippy::cast_precision_loss, reason = "counts of calls are small")]
async fn a_fleet_comes_up_as_fast_as_the_buckets_allow_and_goes_without_a_trace() {
    let aws = Simulator::new(Quotas::raised());
    let lab = Lab::start(&aws).await;
    let began = Instant::now();
    let all: Vec<_> = (0..sites()).map(|_| lab.site(wanted(2, Three))).collect();
    lab.until("all are ready", 600, |lab| all.iter().all(|site| lab.is_ready(*site))).await;
    let (took, calls) = (began.elapsed(), aws.calls());
    let (bound, count) = (bound(sites()), all.len());
    println!("{count} sites in {took:?}, bound {bound:.0} s, {:.3}; {calls:?}", took.as_secs_f64() / bound);
    assert_eq!(aws.throttled(), 0, "calls were throttled");
    for (call, each, ..) in TAKES {
        assert_eq!(calls[call], u64::from(each * sites()), "{call}: nothing was made twice");
    }
    assert_eq!(aws.living(), [7 * count, 3 * count, 2 * count, count]);
    assert!(took.as_secs_f64() <= 1.05 * bound + OWN, "{took:?} against {bound} s");
    lab.until("all have their names", 1, |lab| lab.aws.names() == count).await;

    let before: u64 = ec2(&aws);
    tokio::time::sleep(Duration::from_secs(150)).await;
    let each = (ec2(&aws) - before) as f64 / 10.0;
    println!("{each} EC2 calls a resync");
    assert!(each < 20.0, "{each} EC2 calls a resync");
    assert!(all.iter().all(|site| lab.is_ready(*site)));

    let began = Instant::now();
    for site in &all {
        lab.change(*site, Wanted::Gone);
    }
    lab.until("all are gone", 600, |lab| all.iter().all(|site| lab.is_gone(*site))).await;
    println!("gone in {:?}; {:?}", began.elapsed(), aws.calls());
    assert_eq!(aws.throttled(), 0, "calls were throttled");
    assert_eq!(aws.living(), [0; 4]);
    lab.until("no name is left", 30, |lab| lab.aws.names() == 0).await;
    assert_eq!(aws.throttled(), 0, "calls were throttled");
    // What nodes said while they ended goes an hour later.
    let left = |lab: &Lab| lab.aws.keys().into_iter().filter(|key| !key.starts_with("lab/setup/")).count();
    lab.until("nothing is left in the bucket", 90, |lab| left(lab) == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_site_that_serves_is_mended_while_a_fleet_comes_up() {
    let aws = Simulator::new(Quotas::raised());
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, Three));
    lab.ready(site).await;
    let mut run = wanted(1, Three);
    run.was_founded = true;
    lab.change(site, Wanted::Run(run));
    lab.ready(site).await;
    // A server that finds a site takes it for one that has served.
    let lab = lab.restart().await;
    lab.ready(site).await;
    // Two launches a second: six minutes of them.
    let _fleet: Vec<_> = (0..100).map(|_| lab.site(wanted(2, Three))).collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let began = Instant::now();
    aws.terminate(&lab.instances(site, Part::Wordpress(0))[0]);
    lab.until("noticed", 2, |lab| !lab.is_ready(site)).await;
    lab.ready(site).await;
    let took = began.elapsed();
    // The old one ends in 30 s, the new one boots in 20, a listing comes every 15; in the queue it would be minutes.
    assert!(took < Duration::from_secs(120), "{took:?}");
}

/// How many instances are launched at once, when the next one is.
async fn launches_at_once(aws: &Simulator) -> u64 {
    let launched = || aws.calls().get("RunInstances").copied().unwrap_or_default();
    let before = launched();
    while launched() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    launched() - before
}

/// Of the four launches that our bucket holds.
#[tokio::test(start_paused = true)]
async fn what_is_new_leaves_a_launch_to_what_serves() {
    let aws = Simulator::new(Quotas::raised());
    let lab = Lab::start(&aws).await;
    let sites: Vec<_> = (0..6).map(|_| lab.site(wanted(1, One))).collect();
    assert_eq!(launches_at_once(&aws).await, 3, "of what is new");
    for site in &sites {
        lab.ready(*site).await;
    }
    // A server that finds a site takes it for one that has served.
    let lab = lab.restart().await;
    for site in &sites {
        lab.ready(*site).await;
        aws.terminate(&lab.instances(*site, Part::Wordpress(0))[0]);
    }
    assert_eq!(launches_at_once(&aws).await, 4, "of what serves");
}

fn ec2(aws: &Simulator) -> u64 {
    let names: Vec<_> = Call::ALL.iter().map(|call| format!("{call:?}")).collect();
    aws.calls()
        .iter()
        .filter(|(name, _)| names.iter().any(|known| known == *name))
        .map(|(_, made)| made)
        .sum()
}
