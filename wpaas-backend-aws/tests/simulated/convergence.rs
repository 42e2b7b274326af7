use std::time::Duration;

use tokio::time::sleep;
use wpaas_backend_aws::testing::Simulator;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{Part, ReleaseRef, Wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

use crate::lab::Lab;

/// Instances, volumes, security groups and addresses of a site of two WordPress nodes and three database nodes.
const WHOLE: [usize; 4] = [7, 3, 2, 1];

#[tokio::test(start_paused = true)]
async fn a_redundant_site_comes_up_once_and_is_left_alone() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    assert_eq!(aws.living(), WHOLE);
    assert_eq!((aws.calls()["RunInstances"], aws.calls()["CreateVolume"], aws.throttled()), (7, 3, 0));
    let before = aws.calls();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let writes = ["RunInstances", "TerminateInstances", "AssociateAddress", "PutObject", "AttachVolume"];
    for call in writes {
        assert_eq!(aws.calls().get(call), before.get(call), "{call}");
    }
    assert!(lab.is_ready(site));
}

#[tokio::test(start_paused = true)]
async fn what_is_ended_or_stopped_comes_back_on_the_same_volumes() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    let parts =
        [Part::Database(0), Part::Database(2), Part::Wordpress(1), Part::Gateway(0), Part::Gateway(1)];
    for part in parts {
        for end in [Simulator::terminate, Simulator::stop] {
            let id = lab.instances(site, part).remove(0);
            end(&aws, &id);
            lab.until("noticed", 5, |lab| !lab.is_ready(site)).await;
            lab.ready(site).await;
            assert_eq!(lab.instances(site, part).len(), 1, "{part}");
        }
    }
    assert_eq!(aws.living(), WHOLE);
    let files = |lab: &Lab| lab.aws.keys().iter().filter(|key| key.contains("/nodes/")).count();
    lab.until("no files of what was ended are left", 5, |lab| files(lab) == 7).await;
    assert_eq!(aws.calls()["CreateVolume"], 3, "no volume was made anew");
    assert_eq!(aws.calls()["AllocateAddress"], 1, "the address stays");
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_somebody_deletes_is_made_anew_by_whatever_server() {
    let aws = Simulator::default();
    let mut lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, Three));
    lab.ready(site).await;
    for made in [4, 5] {
        lab = lab.take_over().await;
        lab.ready(site).await;
        aws.lose_volumes(&lab.instances(site, Part::Database(2)).remove(0));
        lab.until("noticed", 5, |lab| !lab.is_ready(site)).await;
        lab.ready(site).await;
        assert_eq!(aws.living()[1], 3, "the {made}th volume is in the place of what was lost");
    }
}

/// What the server before has just made is in no listing yet.
#[tokio::test(start_paused = true)]
async fn a_server_that_takes_over_makes_nothing_twice() {
    let aws = Simulator::default();
    let mut lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    aws.set_lag(Duration::from_secs(15));
    for part in [Part::Wordpress(0), Part::Database(1), Part::Gateway(0)] {
        let before = aws.calls()["RunInstances"];
        aws.terminate(&lab.instances(site, part).remove(0));
        lab.until("made anew", 10, |lab| lab.aws.calls()["RunInstances"] > before).await;
        lab = lab.take_over().await;
        sleep(Duration::from_secs(60)).await;
        lab.ready(site).await;
        sleep(Duration::from_secs(120)).await;
        assert_eq!(aws.living(), [7, 3, 2, 1], "{part}");
    }
}

/// As when servers share the sites anew: the one that gets this site has listed everything for long, and what the other has
/// just made is in no listing yet.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_given_a_site_makes_nothing_twice() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let other = lab.beside().await;
    let site = lab.site(wanted(2, Three));
    lab.ready(site).await;
    sleep(Duration::from_secs(180)).await;
    // Longer than from one listing to the next.
    aws.set_lag(Duration::from_secs(60));
    let before = aws.calls()["RunInstances"];
    aws.terminate(&lab.instances(site, Part::Wordpress(0)).remove(0));
    lab.until("made anew", 10, |lab| lab.aws.calls()["RunInstances"] > before).await;
    lab.give_up_to(&other);
    sleep(Duration::from_secs(90)).await;
    assert_eq!(other.instances(site, Part::Wordpress(0)).len(), 1, "one, and not two");
    other.ready(site).await;
    assert_eq!(aws.living(), WHOLE);
    // What ended before is listed as that: nobody waits for listings.
    aws.set_lag(Duration::ZERO);
    let began = tokio::time::Instant::now();
    aws.terminate(&other.instances(site, Part::Wordpress(0)).remove(0));
    other.until("noticed", 5, |lab| !lab.is_ready(site)).await;
    other.ready(site).await;
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_address_moves_to_the_other_gateway_before_the_first_is_back() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    let both = [0, 1].map(|n| lab.instances(site, Part::Gateway(n)).remove(0));
    let first = aws.leads_to(&site.to_string()).unwrap();
    let [other] = &both.iter().filter(|id| **id != first).collect::<Vec<_>>()[..] else { panic!("{both:?}") };
    aws.terminate(&first);
    lab.until("moved", 1, |lab| lab.aws.leads_to(&site.to_string()).as_ref() == Some(*other)).await;
    lab.ready(site).await;
    assert_eq!(aws.leads_to(&site.to_string()).as_ref(), Some(*other), "it does not move back");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_rests_keeps_its_data_and_address_and_one_that_is_deleted_leaves_nothing() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let digest = Digest::from_sha256([7; 32]);
    let mut run = wanted(2, Three);
    run.release = Some(ReleaseRef::Stored { digest, layout: Layout::Content });
    let site = lab.site(run.clone());
    let other = lab.site(wanted(1, One));
    lab.ready(site).await;
    lab.ready(other).await;
    lab.change(site, Wanted::Rest);
    lab.until("resting", 30, |lab| lab.aws.living() == [4, 4, 4, 2]).await;
    lab.change(site, Wanted::Run(run));
    lab.ready(site).await;
    assert_eq!(aws.calls()["CreateVolume"], 4);
    lab.change(site, Wanted::Gone);
    lab.until("gone", 60, |lab| lab.is_gone(site)).await;
    assert_eq!(aws.living(), [4, 1, 2, 1], "the other site is untouched");
    assert!(lab.is_ready(other));
    lab.change(other, Wanted::Gone);
    lab.until("gone", 60, |lab| lab.is_gone(other)).await;
    assert_eq!(aws.living(), [0; 4]);
    // What nodes said while they ended goes an hour later.
    let left = |lab: &Lab| lab.aws.keys().iter().any(|key| !key.starts_with("lab/setup/"));
    lab.until("nothing is left in the bucket", 90, |lab| !left(lab)).await;
}

#[tokio::test(start_paused = true)]
async fn another_release_and_size_are_taken_up_without_a_gap() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, One));
    lab.ready(site).await;
    let mut run = wanted(3, Three);
    let digest = Digest::from_sha256([9; 32]);
    run.release = Some(ReleaseRef::Stored { digest, layout: Layout::Tree });
    lab.change(site, Wanted::Run(run));
    lab.ready(site).await;
    lab.until("old nodes gone", 10, |lab| lab.aws.living() == [8, 3, 2, 1]).await;
    lab.change(site, Wanted::Run(wanted(1, One)));
    lab.ready(site).await;
    lab.until("small again", 30, |lab| lab.aws.living() == [4, 1, 2, 1]).await;
    let kept = |lab: &Lab| lab.aws.keys().iter().any(|key| key.contains("release"));
    lab.until("no release is kept", 5, |lab| !kept(lab)).await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_where_others_could_read_it() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    for (key, content) in aws.contents() {
        let secret = String::from_utf8_lossy(&content).contains("canary");
        assert_eq!(secret, key.starts_with("lab/nodes/AROATEST:i-"), "{key}");
    }
    let launched = aws.launched();
    assert!(launched.contains("cat >/usr/local/lib/wpaas-boot.sh"), "user data is read");
    assert!(!launched.contains("canary"), "in what RunInstances was told");
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_server_changes_nothing() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(2, Three));
    tokio::time::sleep(Duration::from_secs(9)).await;
    let lab = lab.restart().await;
    lab.ready(site).await;
    let runs = aws.calls()["RunInstances"];
    let lab = lab.restart().await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    lab.ready(site).await;
    assert_eq!(aws.calls()["RunInstances"], runs);
    assert_eq!(aws.living(), WHOLE);
}
