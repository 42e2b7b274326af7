//! The planner over the simulated backend: every case ends in "nothing to do", and no plan breaks a rule.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "planner/database.rs"]
mod database;
#[path = "planner/releases.rs"]
mod releases;
mod support;

use releases::{GOOD, try_out};
use support::{Harness, wanted};
use wpaas_core::converge::{Action, Coverage, Part, Step, StepReason, Wanted, lint, plan};
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

/// Passes until there is nothing left to do but wait. Returns what is waited for.
fn waits(site: &mut Harness) -> Vec<String> {
    let plan = std::iter::repeat_with(|| site.pass()).find(|plan| plan.steps.is_empty()).unwrap();
    plan.holds.iter().map(|hold| format!("{} {}", hold.part, hold.reason)).collect()
}

#[test]
fn a_node_that_is_too_many_is_left_to_the_requests_that_it_has() {
    let mut site = Harness::up(wanted(2, One));
    let id = site.intent.site;
    let busy = Part::Wordpress(1);
    assert!(site.backend.outside(id, |world| world.visit(id, busy) && world.visit(id, busy)));
    site.change(|run| run.wordpress = 1);
    let left = "leaves once it has ended what it has; requests under way:";
    assert_eq!(waits(&mut site), [format!("wordpress-1 {left} 2")]);
    assert!(!site.backend.outside(id, |world| world.visit(id, busy)), "it gets nothing new");
    let (facts, mut rash) = (site.facts(), site.pass());
    let action = Action::Remove { object: facts.object(busy).unwrap().id.clone() };
    let step = Step { site: id, generation: 2, epoch: 1, part: busy, action, why: StepReason::TooMany };
    rash.steps.push(step);
    let broken = lint(&site.intent, &facts, &rash).unwrap_err();
    assert_eq!((broken.rule, broken.why), (3, "takes a WordPress node from requests that are under way"));
    assert!(site.backend.outside(id, |world| world.leave(id)));
    site.converge();
    assert_eq!(site.parts(), SMALL);
}

#[test]
fn a_request_that_never_ends_holds_its_node_for_five_minutes_of_no_new_ones() {
    let mut site = Harness::up(wanted(1, One));
    let id = site.intent.site;
    assert!(site.backend.outside(id, |world| world.visit(id, Part::Wordpress(0))));
    try_out(&mut site, GOOD);
    let mut heartbeats = 0;
    while site.parts().contains(&"wordpress-0".to_owned()) {
        if site.pass().steps.is_empty() && site.judge().is_none() {
            heartbeats += u32::from(site.facts().left(Part::Wordpress(0)) > 0);
            site.backend.heartbeat();
        }
        assert!(heartbeats <= 60, "{:?}", site.log);
    }
    assert_eq!(heartbeats, 60, "of five seconds each");
    site.converge();
}

#[test]
fn a_new_admin_password_is_told_to_the_nodes_that_run() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.admin_version = 2);
    site.converge();
    assert_eq!(site.log, ["configure wordpress-0: secrets/admin-hash, wordpress.conf"]);
}

#[test]
fn while_a_step_is_under_way_there_is_something_to_wait_for() {
    let mut site = Harness::up(wanted(1, One));
    for part in site.parts() {
        let mut facts = site.facts();
        facts.busy = vec![part.parse().unwrap()];
        assert!(!plan(&site.intent, &facts).is_empty(), "{part} is being changed");
    }
}

#[test]
fn what_is_gone_goes_in_order_also_when_not_all_of_it_is_seen() {
    let mut site = Harness::up(wanted(1, One));
    let nodes = |part: Part| part.is_node();
    site.want(Wanted::Gone);
    let mut facts = site.facts();
    facts.objects.retain(|object| !nodes(object.part));
    facts.coverage = Coverage::Partial;
    let plan = plan(&site.intent, &facts);
    assert_eq!(plan.steps, [], "nodes may be there that need what is seen");
    assert!(!plan.is_empty(), "it is said so");
}
