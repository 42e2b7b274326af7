use wpaas_backend_aws::testing::Simulator;
use wpaas_core::converge::trial::wanted;
use wpaas_core::converge::{ObjectId, Part, Run, Wanted};
use wpaas_core::site::DatabaseSize::One;

use crate::lab::Lab;

fn of(runs: &[Run], part: Part) -> Vec<&Run> {
    runs.iter().filter(|run| run.part == part).collect()
}

#[tokio::test(start_paused = true)]
async fn what_runs_is_metered_from_its_launch_and_what_was_ended_to_its_end() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let began = aws.now();
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    let parts =
        [Part::Database(0), Part::Wordpress(0), Part::Gateway(0), Part::Gateway(1), Part::DatabaseVolume(0)];
    let runs = lab.metered(site);
    for part in parts.into_iter().chain([Part::UploadsVolume]) {
        let [run] = of(&runs, part)[..] else { panic!("{part}: {runs:?}") };
        let started = run.started_at.as_second();
        assert!((began..=aws.now()).contains(&started) && run.ended_at.is_none(), "{run:?}");
    }
    assert_eq!(runs.len(), 6, "a network is not billed");
    let node = lab.instances(site, Part::Wordpress(0)).remove(0);
    aws.terminate(&node);
    let ended = aws.now();
    lab.until("noticed", 5, |lab| !lab.is_ready(site)).await;
    lab.ready(site).await;
    let runs = lab.metered(site);
    let [old, new] = of(&runs, Part::Wordpress(0))[..] else { panic!("{runs:?}") };
    assert_eq!(
        (&old.object, old.ended_at.map(jiff::Timestamp::as_second)),
        (&ObjectId::new(&node), Some(ended))
    );
    assert!(new.started_at > old.started_at && new.ended_at.is_none(), "{new:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_volume_is_left_before_it_goes() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let site = lab.site(wanted(1, One));
    lab.ready(site).await;
    let before = lab.metered(site);
    assert!(lab.ends(site).is_empty());
    lab.change(site, Wanted::Gone);
    lab.until("gone", 60, |lab| lab.is_gone(site)).await;
    for part in [Part::DatabaseVolume(0), Part::UploadsVolume] {
        let [was] = of(&before, part)[..] else { panic!("{before:?}") };
        let ends = lab.ends(site);
        let end = of(&ends, part)[0];
        assert_eq!((&end.object, end.started_at), (&was.object, was.started_at), "{part}");
        assert!(end.ended_at.is_some(), "{part}");
    }
}
