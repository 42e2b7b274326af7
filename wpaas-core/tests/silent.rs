//! The planner where nodes run and have been silent for too long.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use support::{Harness, hush, object, wanted};
use wpaas_core::converge::{
    Action, Facts, Heard, HoldReason, Intent, Lead, NodeReport, Object, ObjectId, Part, ServerState, Silent,
    Step, StepReason, lint, plan,
};
use wpaas_core::site::DatabaseSize::{One, Three};

const W0: Part = Part::Wordpress(0);
const G0: Part = Part::Gateway(0);
const G1: Part = Part::Gateway(1);

fn site(database: wpaas_core::site::DatabaseSize) -> (Intent, Facts) {
    let mut site = Harness::up(wanted(2, database));
    (site.intent.clone(), site.facts())
}

/// With a second gateway, and an address that leads to the first.
fn two_gateways() -> (Intent, Facts) {
    let (intent, mut facts) = site(One);
    let first = facts.object(G0).unwrap().clone();
    let report = Heard { part: G1, ..facts.report(G0).unwrap().clone() };
    facts.objects.push(Object { part: G1, id: ObjectId::new("second"), ..first.clone() });
    facts.reports.push(report);
    lead(&mut facts, Lead::To(first.id));
    (intent, facts)
}

fn lead(facts: &mut Facts, to: Lead) {
    object(facts, Part::Network).entry.as_mut().unwrap().lead = Some(Box::new(to));
}

/// It has not been heard for too long.
fn silence(facts: &mut Facts, part: Part, was_heard: bool) {
    hush(facts, part);
    facts.silent.push(Silent { part, was_heard });
}

/// The gateway finds that it does not answer.
fn down(facts: &mut Facts, part: Part) {
    for report in &mut facts.reports {
        if let NodeReport::Gateway(gateway) = &mut report.node {
            gateway.servers.insert(part, ServerState::Down);
        }
    }
}

fn removed(intent: &Intent, facts: &Facts) -> Vec<Part> {
    let plan = plan(intent, facts);
    lint(intent, facts, &plan).unwrap();
    for step in &plan.steps {
        let removes = matches!(step.action, Action::Remove { .. });
        assert!(
            removes && step.why == StepReason::Silent || matches!(step.action, Action::Lead { .. }),
            "{plan}"
        );
    }
    plan.steps.iter().filter(|step| step.why == StepReason::Silent).map(|step| step.part).collect()
}

/// The rule that the removal of this part breaks.
fn breaks(intent: &Intent, facts: &Facts, part: Part) -> u8 {
    let action = Action::Remove { object: facts.object(part).unwrap().id.clone() };
    let (site, why) = (intent.site, StepReason::Silent);
    let mut plan = plan(intent, facts);
    plan.steps = vec![Step { site, generation: 1, epoch: 1, part, action, why }];
    lint(intent, facts, &plan).unwrap_err().rule
}

#[test]
fn a_silent_node_is_replaced_when_nobody_can_be_using_it() {
    let (intent, mut facts) = site(One);
    hush(&mut facts, W0);
    down(&mut facts, W0);
    assert_eq!(removed(&intent, &facts), [], "it has not been silent for long");
    assert_eq!(breaks(&intent, &facts, W0), 3);
    silence(&mut facts, W0, true);
    assert_eq!(removed(&intent, &facts), [W0]);
    hush(&mut facts, G0);
    assert_eq!(removed(&intent, &facts), [], "no gateway says that it does not answer");
    assert_eq!(breaks(&intent, &facts, W0), 3);

    let (intent, mut facts) = site(One);
    silence(&mut facts, W0, true);
    assert_eq!(removed(&intent, &facts), [], "it answers");
    assert_eq!(breaks(&intent, &facts, W0), 3);
    facts.silent = vec![Silent { part: W0, was_heard: false }].into();
    hush(&mut facts, G0);
    assert_eq!(removed(&intent, &facts), [W0], "it never said a word");
}

#[test]
fn a_silent_gateway_is_replaced_unless_the_address_leads_to_it() {
    let (intent, mut facts) = two_gateways();
    silence(&mut facts, G1, true);
    assert_eq!(removed(&intent, &facts), [G1]);
    silence(&mut facts, G0, true);
    assert_eq!(removed(&intent, &facts), [G1], "of both, first the one that has no address");
    assert_eq!(breaks(&intent, &facts, G0), 3);
    lead(&mut facts, Lead::Nowhere);
    assert_eq!(removed(&intent, &facts), [G0, G1]);

    let (intent, mut facts) = two_gateways();
    silence(&mut facts, G0, true);
    assert_eq!(removed(&intent, &facts), [], "the address moves first");
    lead(&mut facts, Lead::To(ObjectId::new("second")));
    assert_eq!(removed(&intent, &facts), [G0]);
}

#[test]
fn a_silent_database_node_counts_as_synced() {
    let (intent, mut facts) = site(Three);
    let [first, second, third] = [0, 1, 2].map(Part::Database);
    silence(&mut facts, second, true);
    assert_eq!(removed(&intent, &facts), [], "it answers");
    down(&mut facts, second);
    assert_eq!(removed(&intent, &facts), [second]);
    hush(&mut facts, third);
    assert_eq!(removed(&intent, &facts), [], "one other is Synced");
    let waits = plan(&intent, &facts).holds;
    assert!(waits.iter().any(|hold| hold.part == second && hold.reason == HoldReason::Quorum), "{waits:?}");
    assert_eq!(breaks(&intent, &facts, second), 2);
    silence(&mut facts, third, true);
    down(&mut facts, third);
    assert_eq!(removed(&intent, &facts), [], "nor are two");
    assert_eq!(breaks(&intent, &facts, third), 2);
    hush(&mut facts, first);
    facts.silent = [first, second, third].map(|part| Silent { part, was_heard: false }).into();
    assert_eq!(removed(&intent, &facts), [third], "without a report none has an order; one at a time");
}

#[test]
fn the_only_database_node_is_replaced_on_its_volume() {
    let (intent, mut facts) = site(One);
    silence(&mut facts, Part::Database(0), true);
    assert_eq!(removed(&intent, &facts), [], "it answers");
    down(&mut facts, Part::Database(0));
    assert_eq!(removed(&intent, &facts), [Part::Database(0)]);
}
