//! The planner over the simulated backend: every case ends in "nothing to do", and no plan breaks a rule.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use support::{Harness, wanted};
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{Coverage, Facts, Part, ReleaseRef, Wanted, plan};
use wpaas_core::site::DatabaseSize::{One, Three};

const SMALL: [&str; 6] =
    ["network", "volume-database-0", "volume-uploads", "database-0", "wordpress-0", "gateway-0"];

#[test]
fn a_small_site_comes_up_in_dependency_order() {
    let mut site = Harness::new(wanted(1, One));
    assert_eq!(
        site.pass().steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["create network", "create volume-uploads", "create volume-database-0"]
    );
    site.converge();
    assert_eq!(site.parts(), SMALL);
    assert!(site.log.contains(&"order database-0 to found component 1".to_owned()), "{:?}", site.log);
}

#[test]
fn a_redundant_site_founds_once_and_joins_one_at_a_time() {
    let mut site = Harness::new(wanted(2, Three));
    site.converge();
    let orders: Vec<_> =
        site.log.iter().filter(|step| step.starts_with("order")).map(String::as_str).collect();
    assert_eq!(
        orders,
        [
            "order database-0 to found component 1",
            "order database-1 to join component 1",
            "order database-2 to join component 1"
        ]
    );
}

#[test]
fn whatever_is_killed_or_taken_away_comes_back() {
    for size in [One, Three] {
        for part in Harness::up(wanted(2, size)).parts() {
            let part: Part = part.parse().unwrap();
            let mut site = Harness::up(wanted(2, size));
            let before = site.parts();
            assert_eq!(site.kill(part), part.is_node());
            site.converge();
            assert!(site.vanish(part));
            site.converge();
            assert_eq!(site.parts(), before, "{part}");
        }
    }
}

#[test]
fn a_killed_single_database_is_founded_again_under_a_new_number() {
    let mut site = Harness::up(wanted(1, One));
    site.kill(Part::Database(0));
    site.converge();
    assert_eq!(site.log, ["start database-0", "order database-0 to found component 2"]);
}

#[test]
fn after_the_loss_of_all_database_nodes_one_founds_and_the_others_join() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..3 {
        site.kill(Part::Database(n));
    }
    site.converge();
    assert_eq!(
        site.log.iter().filter(|step| step.contains("found component 2")).count(),
        1,
        "{:?}",
        site.log
    );
    assert_eq!(
        site.log.iter().filter(|step| step.contains("to join component 2")).count(),
        2,
        "{:?}",
        site.log
    );
}

#[test]
fn an_empty_volume_never_founds_while_one_with_data_exists() {
    let mut site = Harness::up(wanted(1, Three));
    for n in 0..2 {
        site.vanish(Part::DatabaseVolume(n));
        site.kill(Part::Database(n));
    }
    site.kill(Part::Database(2));
    site.converge();
    let founding: Vec<_> = site.log.iter().filter(|step| step.contains("found")).collect();
    assert_eq!(founding, ["order database-2 to found component 2"]);
}

#[test]
fn incomplete_listings_make_and_remove_nothing() {
    let mut site = Harness::new(wanted(1, One));
    site.coverage = Coverage::Partial;
    assert_eq!(site.pass().steps, []);
    for wanted in [Wanted::Rest, Wanted::Gone] {
        site.want(wanted);
        assert_eq!(site.pass().steps, []);
    }
}

#[test]
fn no_component_is_founded_while_a_volume_may_be_unseen() {
    let mut site = Harness::up(wanted(1, One));
    site.kill(Part::Database(0));
    site.pass();
    let mut facts = site.facts();
    let founds =
        |facts: &Facts| plan(&site.intent, facts).steps.iter().any(|step| step.to_string().contains("found"));
    assert!(founds(&facts));
    facts.coverage = Coverage::Partial;
    assert!(!founds(&facts));
}

#[test]
fn a_resting_site_keeps_its_data_and_address_and_comes_back() {
    let mut site = Harness::up(wanted(2, Three));
    let before = site.parts();
    let Wanted::Run(run) = site.intent.wanted.clone() else { unreachable!() };
    site.want(Wanted::Rest);
    site.converge();
    let kept = ["network", "volume-database-0", "volume-database-1", "volume-database-2", "volume-uploads"];
    assert_eq!(site.parts(), kept);
    site.want(Wanted::Run(run));
    site.converge();
    assert_eq!(site.parts(), before);
}

#[test]
fn of_a_site_that_is_gone_nothing_is_left_and_nothing_of_another_is_touched() {
    let mut site = Harness::up(wanted(1, One));
    let gone = site.intent.site;
    site.intent.site = wpaas_core::id::SiteId::new();
    site.converge();
    let other = site.intent.site;
    site.intent.site = gone;
    site.want(Wanted::Gone);
    site.converge();
    assert_eq!(site.parts(), [""; 0]);
    site.intent.site = other;
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn wordpress_scales_up_and_down() {
    let mut site = Harness::up(wanted(2, One));
    let count = |site: &Harness| site.parts().iter().filter(|part| part.starts_with("wordpress")).count();
    for n in [4, 1, 0, 3] {
        site.change(|run| run.wordpress = n);
        site.converge();
        assert_eq!(count(&site), usize::from(n));
    }
}

#[test]
fn a_new_release_serves_before_the_old_one_goes() {
    let mut site = Harness::up(wanted(2, One));
    let digest = Digest::from_sha256([7; 32]);
    site.change(|run| run.release = Some(ReleaseRef::Stored { digest, layout: Layout::Content }));
    site.converge();
    let steps: Vec<_> = site.log.iter().map(|step| step.split(" (").next().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "create release-070707070707 from sha256:0707070707070707070707070707070707070707070707070707070707070707",
            "configure gateway-0: authorities, routes",
            "create wordpress-2",
            "create wordpress-3",
            "configure gateway-0: authorities, routes",
            "remove wordpress-0",
            "remove wordpress-1",
            "configure gateway-0: authorities, routes",
        ]
    );
    assert!(site.parts().contains(&"release-070707070707".to_owned()));
    site.change(|run| run.release = Some(ReleaseRef::Stock));
    site.converge();
    assert!(!site.parts().iter().any(|part| part.starts_with("release")), "{:?}", site.parts());
}

#[test]
fn without_a_release_everything_else_is_made() {
    let mut site = Harness::new(wanted(1, One));
    site.change(|run| run.release = None);
    for _ in 0..10 {
        site.pass();
    }
    let plan = site.pass();
    assert_eq!(plan.steps, []);
    assert_eq!(
        plan.holds.iter().map(|hold| format!("{} {}", hold.part, hold.reason)).collect::<Vec<_>>(),
        ["wordpress-0 waits for the code"]
    );
    assert_eq!(site.parts(), ["network", "volume-database-0", "volume-uploads", "database-0", "gateway-0"]);
}

#[test]
fn the_database_grows_and_shrinks_while_the_site_is_up() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.database = Three);
    site.converge();
    assert!(
        !site.log.iter().any(|step| step.starts_with("remove")),
        "growing replaces nothing: {:?}",
        site.log
    );
    assert_eq!(site.parts().iter().filter(|part| part.starts_with("volume-database")).count(), 3);
    site.change(|run| run.database = One);
    site.converge();
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn a_new_admin_password_is_told_to_the_nodes_that_run() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.admin_version = 2);
    site.converge();
    assert_eq!(site.log, ["configure wordpress-0: secrets/admin-hash, wordpress.conf"]);
}
