//! Instances that EC2 calls running and that say nothing: their boot failed, or they hang.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wpaas_backend_aws::testing::Simulator;
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{Part, Wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::lab::Lab;

const WHOLE: [usize; 4] = [7, 3, 2, 1];

#[tokio::test(start_paused = true)]
async fn what_hangs_is_replaced_after_minutes_on_the_same_volume_and_address() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    for part in [Part::Wordpress(1), Part::Database(0), Part::Database(2), Part::Gateway(0), Part::Gateway(1)]
    {
        let id = lab.instances(site, part).remove(0);
        let began = Instant::now();
        aws.freeze(&id);
        lab.until("noticed", 5, |lab| !lab.is_ready(site)).await;
        if aws.leads_to(&site.to_string()).as_ref() == Some(&id) {
            lab.until("the address moves", 2, |lab| {
                lab.aws.leads_to(&site.to_string()).as_ref() != Some(&id)
            })
            .await;
            assert_eq!(lab.instances(site, part).remove(0), id, "before it is replaced");
        }
        lab.ready(site).await;
        let took = began.elapsed();
        assert!((180..420).contains(&took.as_secs()), "{part}: {took:?}");
        assert_ne!(lab.instances(site, part), [id], "{part}");
        assert_eq!(aws.living(), WHOLE, "{part}");
    }
    assert_eq!(aws.calls()["CreateVolume"], 3, "no volume was made anew");
    assert_eq!(aws.calls()["AllocateAddress"], 1, "the address stays");
}

#[tokio::test(start_paused = true)]
async fn the_only_database_node_is_replaced_on_its_volume_and_founds_anew() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    let id = lab.instances(site, Part::Database(0)).remove(0);
    aws.freeze(&id);
    lab.until("noticed", 5, |lab| !lab.is_ready(site)).await;
    lab.ready(site).await;
    assert_ne!(lab.instances(site, Part::Database(0)), [id]);
    assert_eq!((aws.calls()["CreateVolume"], aws.living()), (1, [4, 1, 2, 1]));
}

/// Rule 2: each counts as Synced.
#[tokio::test(start_paused = true)]
async fn of_three_database_nodes_two_that_hang_stay() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, Three));
    lab.ready(site).await;
    let hang = [0, 1].map(|n| lab.instances(site, Part::Database(n)).remove(0));
    for id in &hang {
        aws.freeze(id);
    }
    sleep(Duration::from_secs(3600)).await;
    assert_eq!([0, 1].map(|n| lab.instances(site, Part::Database(n)).remove(0)), hang);
    let waits = lab.found(site).unwrap().waiting.join("\n");
    assert!(waits.contains("database-0 is replaced once enough other database nodes are Synced"), "{waits}");
    aws.terminate(&hang[0]);
    lab.ready(site).await;
    assert_eq!(aws.living(), [6, 3, 2, 1], "with one mended by hand the other follows");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_is_heard_nothing_is_replaced() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    let parts = (0..2).flat_map(|n| [Part::Gateway(n), Part::Wordpress(n)]);
    let parts: Vec<_> = parts.chain((0..3).map(Part::Database)).collect();
    for part in &parts {
        aws.freeze(&lab.instances(site, *part)[0]);
    }
    let lab = lab.restart().await;
    sleep(Duration::from_secs(7200)).await;
    let calls = aws.calls();
    assert_eq!((calls["RunInstances"], calls.get("TerminateInstances")), (7, None));
    assert!(lab.found(site).unwrap().waiting.iter().any(|wait| wait.contains("has not reported")));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_later_waits_before_it_gives_a_node_up() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, One));
    lab.ready(site).await;
    let id = lab.instances(site, Part::Wordpress(0)).remove(0);
    aws.freeze(&id);
    // What it said last is in the bucket, and too old to count.
    sleep(Duration::from_secs(60)).await;
    let lab = lab.restart().await;
    sleep(Duration::from_secs(590)).await;
    assert_eq!(lab.instances(site, Part::Wordpress(0)).remove(0), id);
    lab.ready(site).await;
    assert_ne!(lab.instances(site, Part::Wordpress(0)), [id]);
}

/// At first, and then after 10, 20, 40, 80 and 160 minutes.
#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_boot_is_tried_at_a_slower_and_slower_pace_until_another_does() {
    for size in [One, Three] {
        let aws = Simulator::default();
        let lab = Lab::start(&aws).await;
        aws.break_boots(true);
        let site = lab.site(wanted(1, size));
        sleep(Duration::from_secs(3600)).await;
        let nodes = if size == One { 4 } else { 6 };
        let launched = |aws: &Simulator| aws.launched().matches("Launch {").count();
        assert!((2 * nodes..=3 * nodes).contains(&launched(&aws)), "{} for {nodes}", launched(&aws));
        sleep(Duration::from_secs(4 * 3600)).await;
        assert!((4 * nodes..=5 * nodes).contains(&launched(&aws)), "{} for {nodes}", launched(&aws));
        let waits = lab.found(site).unwrap().waiting.join("\n");
        assert!(waits.contains("has not reported"), "{waits}");
        aws.break_boots(false);
        lab.until("it boots", 120, |lab| lab.is_ready(site)).await;
        let volumes = if size == One { 1 } else { 3 };
        assert_eq!(aws.living(), [nodes, volumes, 2, 1]);
        assert_eq!(aws.calls()["CreateVolume"], volumes as u64);
        lab.change(site, Wanted::Gone);
        lab.until("gone", 60, |lab| lab.is_gone(site)).await;
        assert_eq!(aws.living(), [0; 4]);
    }
}
