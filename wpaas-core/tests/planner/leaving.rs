//! Nodes that are to go: they get nothing new, and are left to what they have.

use wpaas_core::converge::{
    Action, Draining, Facts, FileContent, NodeReport, ObjectState, Part, SitePlan, Step, StepReason, lint,
    plan,
};
use wpaas_core::site::DatabaseSize::{One, Three};

use super::SMALL;
use super::releases::{GOOD, try_out};
use super::support::{Harness, wanted};

/// Passes until there is nothing left to do but wait. Returns what is waited for.
fn waits(site: &mut Harness) -> Vec<String> {
    let plan = std::iter::repeat_with(|| site.pass()).find(|plan| plan.steps.is_empty()).unwrap();
    holds(&plan)
}

fn holds(plan: &SitePlan) -> Vec<String> {
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
    assert_eq!((broken.rule, broken.why), (3, "takes a node from requests that are under way"));
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

/// The gateway says that so many connections to the node are left.
fn with_left(facts: &Facts, part: Part, requests: u32) -> Facts {
    let mut facts = facts.clone();
    for report in &mut facts.reports {
        if let NodeReport::Gateway(gateway) = &mut report.node {
            gateway.draining.insert(part, Draining { requests, seconds: 5 });
        }
    }
    facts
}

fn removals(plan: &SitePlan) -> Vec<Step> {
    let removes = |step: &&Step| matches!(step.action, Action::Remove { .. });
    plan.steps.iter().filter(removes).cloned().collect()
}

/// Passes until nodes are about to be removed.
fn about_to_remove(site: &mut Harness) -> (Facts, SitePlan) {
    loop {
        let facts = site.facts();
        let plan = plan(&site.intent, &facts);
        if !removals(&plan).is_empty() {
            return (facts, plan);
        }
        site.pass();
    }
}

#[test]
fn a_database_node_is_left_to_the_connections_that_it_has() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    let (facts, rash) = about_to_remove(&mut site);
    let part = removals(&rash)[0].part;
    assert_eq!(part, Part::Database(2));
    let facts = with_left(&facts, part, 3);
    let patient = plan(&site.intent, &facts);
    assert_eq!(removals(&patient), []);
    let left = "database-2 leaves once it has ended what it has; requests under way: 3";
    assert!(holds(&patient).contains(&left.to_owned()), "{patient}");
    let broken = lint(&site.intent, &facts, &rash).unwrap_err();
    assert_eq!((broken.rule, broken.why), (3, "takes a node from requests that are under way"));
}

#[test]
fn a_database_node_that_says_nothing_is_drained_all_the_same() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    let mut facts = site.facts();
    facts.reports.retain(|report| report.part != Part::Database(2));
    let plan = plan(&site.intent, &facts);
    assert_eq!(removals(&plan), []);
    let configures = |step: &Step| step.part == Part::Gateway(0);
    assert!(plan.steps.iter().any(configures), "{plan}");
}

#[test]
fn what_is_being_removed_gets_nothing_new_and_is_removed_again_if_that_fails() {
    for (before, after) in [(wanted(1, Three), wanted(1, One)), (wanted(3, One), wanted(1, One))] {
        let mut site = Harness::up(before);
        site.change(|run| *run = after);
        let (_, plan_before) = about_to_remove(&mut site);
        let removals = removals(&plan_before);
        for step in &removals {
            site.begins(step);
        }
        let during = site.facts();
        for step in &removals {
            assert_eq!(during.object(step.part).unwrap().state, ObjectState::Removing);
        }
        let meanwhile = plan(&site.intent, &during);
        assert_eq!(meanwhile.steps, [], "the gateway is not told to use {removals:?} again");
        for step in &removals {
            site.fails(step);
        }
        let facts = site.facts();
        assert_eq!(plan(&site.intent, &facts).steps, removals);
        site.converge();
        assert_eq!(site.parts(), SMALL);
    }
}

#[test]
fn a_site_has_not_converged_while_nodes_of_the_release_before_are_on_their_way_out() {
    let mut site = Harness::up(wanted(1, One));
    let mut facts = site.facts();
    assert!(plan(&site.intent, &facts).is_empty());
    let mut leaver = facts.object(Part::Wordpress(0)).unwrap().clone();
    (leaver.part, leaver.fingerprint, leaver.state) = (Part::Wordpress(1), None, ObjectState::Removing);
    facts.objects.push(leaver);
    facts.objects.sort_by_key(|object| object.part);
    assert_eq!(holds(&plan(&site.intent, &facts)), ["wordpress-1 is being removed"]);
}

/// The lines for servers that the gateway is told by this plan.
fn routes(plan: &SitePlan) -> Option<Vec<String>> {
    let files = plan.steps.iter().find_map(|step| match (&step.action, step.part) {
        (Action::Configure { files, .. }, Part::Gateway(0)) => Some(files),
        _ => None,
    })?;
    let routes = files.iter().find(|file| file.path == "routes")?;
    let FileContent::Text(text) = &routes.content else { return None };
    let server = |line: &&str| line.starts_with("database-") || line.starts_with("wordpress-");
    Some(text.lines().filter(server).map(str::to_owned).collect())
}

#[test]
fn the_gateway_leaves_the_database_node_that_goes_and_no_other() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    let told = std::iter::repeat_with(|| site.pass()).find_map(|plan| routes(&plan)).unwrap();
    assert_eq!(told, ["database-0=ready", "database-1=ready", "database-2=drain", "wordpress-0=ready"]);
}

#[test]
fn a_leaver_that_does_not_serve_is_no_server() {
    let mut site = Harness::up(wanted(1, Three));
    assert!(site.kill(Part::Database(1)));
    site.change(|run| run.database = One);
    let told = std::iter::repeat_with(|| site.pass()).find_map(|plan| routes(&plan)).unwrap();
    assert!(told.contains(&"database-0=ready".to_owned()), "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("database-1")), "{told:?}");
}

#[test]
fn the_volume_of_a_leaver_is_not_made_again() {
    let mut site = Harness::up(wanted(1, Three));
    site.change(|run| run.database = One);
    assert!(site.vanish(Part::DatabaseVolume(1)));
    site.log.clear();
    site.converge();
    assert!(!site.log.iter().any(|step| step.starts_with("create volume")), "{:?}", site.log);
    assert_eq!(site.parts(), SMALL);
}
