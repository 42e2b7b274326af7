//! The planner over the simulated backend: every case ends in "nothing to do", and no plan breaks a rule.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "planner/database.rs"]
mod database;
#[path = "planner/leaving.rs"]
mod leaving;
#[path = "planner/members.rs"]
mod members;
#[path = "planner/releases.rs"]
mod releases;
mod support;

use std::sync::Arc;

use support::{Harness, hush, object, wanted};
use wpaas_core::converge::{
    Action, Coverage, DatabasePhase, Facts, Hold, HoldReason, NodeReport, ObjectState, Part, Told, Wanted,
    floor, keep_what_runs, plan,
};
use wpaas_core::site::DatabaseSize::{One, Three};
use wpaas_core::site::Spare;

const SMALL: [&str; 6] =
    ["network", "volume-database-0", "volume-uploads", "database-0", "wordpress-0", "gateway-0"];

#[test]
fn a_small_site_comes_up_in_dependency_order() {
    let mut site = Harness::new(wanted(1, One));
    assert_eq!(
        site.pass().steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["create network", "create volume-uploads", "create volume-database-0"]
    );
    let first = site.pass().steps;
    assert_eq!(
        first.iter().map(|step| step.part).collect::<Vec<_>>(),
        [Part::Database(0), Part::Gateway(0)],
        "what the way to the first page begins with"
    );
    site.converge();
    assert_eq!(site.parts(), SMALL);
    assert!(site.log.iter().all(|step| !step.starts_with("order")), "{:?}", site.log);
}

#[test]
fn a_spare_becomes_a_site_and_a_store_that_forgot_the_site_takes_nothing_from_it() {
    let mut site = Harness::new(wanted(0, One));
    site.intent.generation = Spare::GENERATION;
    site.converge();
    assert_eq!(site.parts(), ["network", "volume-database-0", "database-0", "gateway-0"]);
    let facts = site.facts();
    assert_eq!(floor(&site.intent, &facts), None);

    site.log.clear();
    site.change(|run| run.wordpress = 1);
    site.converge();
    assert_eq!(site.parts(), SMALL);
    assert!(site.log.iter().all(|step| !step.starts_with("remove")), "{:?}", site.log);

    // Also one that rests, of which nothing runs.
    site.want(Wanted::Rest);
    site.converge();
    let kept = site.parts();
    assert!(kept.contains(&"volume-database-0".to_owned()), "{kept:?}");
    for wanted in [Wanted::Run(wanted(0, One)), Wanted::Gone] {
        site.intent.generation = Spare::GENERATION;
        site.intent.wanted = wanted;
        let facts = site.facts();
        assert_eq!(floor(&site.intent, &facts), Some(1), "it is no spare any more");
        let taken = keep_what_runs(plan(&site.intent, &facts)).steps;
        assert!(taken.iter().all(|step| !matches!(step.action, Action::Remove { .. })), "{taken:?}");
    }
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
        facts.busy = vec![part.parse().unwrap()].into();
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

#[test]
fn a_plan_reads_as_what_it_does_and_what_it_waits_for() {
    let mut site = Harness::new(wanted(1, One));
    let of = site.intent.site;
    let mut plan = site.pass();
    plan.steps.truncate(1);
    plan.holds = vec![Hold { part: Part::Database(0), reason: HoldReason::Needs(Part::Network) }];
    let text = format!("{of} generation 1:\n  create network\n  (database-0 waits for network)");
    assert_eq!(plan.to_string(), text);
    plan.steps.clear();
    assert!(!plan.is_empty(), "there is something to wait for");
    plan.holds.clear();
    assert_eq!(plan.to_string(), format!("{of} generation 1: nothing to do"));
}

#[test]
fn what_waits_for_a_person_says_so_in_one_word() {
    let asks = |reason: HoldReason| reason.asks_a_person();
    assert_eq!(asks(HoldReason::Diverged), Some("Diverged"));
    assert_eq!(asks(HoldReason::TornData), Some("TornData"));
    assert_eq!(asks(HoldReason::BrokenData), Some("BrokenData"));
    assert_eq!(asks(HoldReason::Quorum), None, "which comes by itself");
}

#[test]
fn what_is_broken_goes_unless_it_holds_data() {
    let mut site = Harness::up(wanted(1, One));
    let whole = site.facts();
    for (part, goes) in [(Part::Network, true), (Part::UploadsVolume, false)] {
        let mut facts = whole.clone();
        object(&mut facts, part).state = ObjectState::Broken;
        let plan = plan(&site.intent, &facts);
        let removed =
            plan.steps.iter().any(|step| step.part == part && matches!(step.action, Action::Remove { .. }));
        let asks = plan.holds.contains(&Hold { part, reason: HoldReason::BrokenData });
        assert_eq!((removed, asks), (goes, !goes), "{plan}");
    }
}

#[test]
fn each_step_that_is_under_way_is_waited_for_once() {
    let mut site = Harness::up(wanted(1, One));
    let whole = site.facts();
    // What an older spec made is nothing that this one would wait for.
    for part in whole.objects.iter().map(|object| object.part).chain([Part::Release([7; 6])]) {
        let plan = plan(&site.intent, &Facts { busy: [part].into_iter().collect(), ..whole.clone() });
        let busy = Hold { part, reason: HoldReason::Busy };
        assert_eq!(plan.holds.iter().filter(|hold| **hold == busy).count(), 1, "{part}: {plan}");
        assert_eq!(plan.steps.iter().find(|step| step.part == part), None);
    }
}

#[test]
fn a_node_is_not_told_twice_before_it_answers() {
    let mut site = Harness::up(wanted(1, One));
    site.change(|run| run.authorities.push("www.example.com".into()));
    let facts = site.facts();
    let [step] = &plan(&site.intent, &facts).steps[..] else { panic!("only the gateway is to be told") };
    assert_eq!(step.part, Part::Gateway(0));
    let told = |message| [Told { part: step.part, message }].into_iter().collect();
    let waits = plan(&site.intent, &Facts { told: told(step.message().unwrap()), ..facts.clone() });
    assert_eq!(waits.steps, []);
    assert_eq!(waits.holds, [Hold { part: step.part, reason: HoldReason::Told }]);
    let other = plan(&site.intent, &Facts { told: told("configure another".into()), ..facts });
    assert_eq!(&other.steps, std::slice::from_ref(step), "it was told something else");
}

#[test]
fn what_depends_on_others_goes_first_and_once() {
    let mut site = Harness::up(wanted(1, One));
    site.want(Wanted::Gone);
    let whole = site.facts();
    let removed = |facts: &Facts| -> Vec<Part> {
        plan(&site.intent, facts).steps.iter().map(|step| step.part).collect()
    };
    let first = [Part::Wordpress(0), Part::Gateway(0)];
    assert_eq!(removed(&whole), first);
    let busy = Facts { busy: first.into_iter().collect(), ..whole.clone() };
    assert_eq!(removed(&busy), [], "they are being removed");
    let mut going = whole;
    for part in first {
        object(&mut going, part).state = ObjectState::Removing;
    }
    assert_eq!(removed(&going), []);
    let reasons: Vec<_> = plan(&site.intent, &going).holds.into_iter().map(|hold| hold.reason).collect();
    assert_eq!(reasons, [HoldReason::Removing, HoldReason::Removing]);
}

#[test]
fn what_a_node_is_waited_for_can_be_read() {
    let mut site = Harness::up(wanted(1, Three));
    let whole = site.facts();
    let waits = |facts: &Facts, part| {
        let holds = plan(&site.intent, facts).holds;
        holds.into_iter().find(|hold| hold.part == part).map(|hold| hold.reason)
    };
    for part in [Part::Wordpress(0), Part::Database(1), Part::Gateway(0)] {
        assert_eq!(waits(&whole, part), None);
        let mut silent = whole.clone();
        hush(&mut silent, part);
        assert_eq!(waits(&silent, part), Some(HoldReason::Silent), "{part}");
    }
    let mut says = whole.clone();
    for heard in &mut says.reports {
        match &mut heard.node {
            NodeReport::Wordpress(report) => Arc::make_mut(report).error = Some("no disk".to_owned()),
            NodeReport::Database(report) if heard.part == Part::Database(1) => {
                let report = Arc::make_mut(report);
                (report.phase, report.state, report.primary) = (DatabasePhase::Recovering, None, false);
            }
            _ => {}
        }
    }
    assert_eq!(waits(&says, Part::Wordpress(0)), Some(HoldReason::Says("no disk".to_owned())));
    assert_eq!(waits(&says, Part::Database(1)), Some(HoldReason::Starting));
}
