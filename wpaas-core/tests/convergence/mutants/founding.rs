//! Rule 1: who founds a component, and when.

use wpaas_core::converge::trial::{Fate, Op, Outside, wanted};
use wpaas_core::converge::{
    Action, DatabaseOrder, DatabasePhase, DatabaseReport, Facts, Intent, NodeReport, Part, SitePlan, Step,
    Wanted, plan,
};
use wpaas_core::site::DatabaseSize::Three;

use super::{caught, kill, step};

/// Rule 1: founds on the first node that waits, not on the furthest when all wait.
fn founds_on_the_first(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    let orders = |step: &Step| matches!(step.action, Action::Order { .. });
    let first = facts.reports.iter().find_map(|report| match &report.node {
        NodeReport::Database(node) if node.phase == DatabasePhase::Waiting => {
            Some((report, node.founding + 1))
        }
        _ => None,
    });
    let synced = facts.reports.iter().any(
        |report| matches!(&report.node, NodeReport::Database(node) if node.takes_writes() || node.phase == DatabasePhase::Starting),
    );
    if let (Some((report, number)), false) = (first, synced)
        && let Some(object) = facts.ready(report.part)
    {
        plan.steps.retain(|step| !orders(step));
        let order = DatabaseOrder::Found { number };
        let action = Action::Order { object: object.id.clone(), boot: report.boot.clone(), order };
        plan.steps.push(step(intent, report.part, action));
    }
    plan
}

#[test]
fn rule_1_a_founding_on_a_node_that_is_behind() {
    // database-0 (the first in order after the network and four volumes) is down while the others write.
    let behind = [kill(5), Op::Write, Op::Write, kill(6), kill(7), Op::Look(0), Op::Plan(0)];
    caught(founds_on_the_first, &wanted(1, Three), &behind, "rule 1", "S1");
}

/// The founding of this plan, if there is one, with another number.
fn renumbered(mut plan: SitePlan, other: impl Fn(u64) -> u64) -> SitePlan {
    for step in &mut plan.steps {
        if let Action::Order { order: DatabaseOrder::Found { number }, .. } = &mut step.action {
            *number = other(*number);
        }
    }
    plan
}

/// Founds on the first of the nodes that wait and are such, where the plan founds or waits with that.
fn founds_on(intent: &Intent, facts: &Facts, such: fn(&DatabaseReport) -> bool) -> SitePlan {
    let mut plan = plan(intent, facts);
    let nodes = || {
        facts.reports.iter().filter_map(|report| match &report.node {
            NodeReport::Database(node) => Some((report, node)),
            _ => None,
        })
    };
    let comes = |node: &DatabaseReport| node.takes_writes() || node.phase == DatabasePhase::Starting;
    let chosen = nodes().find(|(_, node)| node.phase == DatabasePhase::Waiting && such(node));
    if let (Some((report, node)), false) = (chosen, nodes().any(|(_, node)| comes(node)))
        && let Some(object) = facts.ready(report.part)
    {
        plan.steps.retain(|step| !matches!(step.action, Action::Order { .. }));
        let order = DatabaseOrder::Found { number: node.founding.max(1) + 1 };
        let action = Action::Order { object: object.id.clone(), boot: report.boot.clone(), order };
        plan.steps.push(step(intent, report.part, action));
    }
    plan
}

/// Rule 1: founds on an empty volume while others hold data, once all have told so.
fn founds_on_nothing(intent: &Intent, facts: &Facts) -> SitePlan {
    let plan = plan(intent, facts);
    let founds =
        |step: &Step| matches!(step.action, Action::Order { order: DatabaseOrder::Found { .. }, .. });
    if intent.wanted == Wanted::Gone || !plan.steps.iter().any(founds) {
        return plan;
    }
    founds_on(intent, facts, |node| node.empty)
}

#[test]
fn rule_1_a_founding_on_an_empty_volume() {
    let lost = [Op::Outside(1, Outside::Vanish), kill(6), kill(7)];
    caught(founds_on_nothing, &wanted(1, Three), &lost, "rule 1", "S1");
}

/// Rule 1: founds again by the number of the last founding.
fn founds_by_an_old_number(intent: &Intent, facts: &Facts) -> SitePlan {
    renumbered(plan(intent, facts), |number| number.saturating_sub(1).max(1))
}

#[test]
fn rule_1_a_number_that_was_used_before() {
    // Without the lint the number on the volume is what refuses it, and nothing is founded ever.
    let all = [kill(5), kill(6), kill(7)];
    caught(founds_by_an_old_number, &wanted(1, Three), &all, "rule 1", "L1");
}

/// Rule 1: does not wait for nodes that have not said a word.
fn founds_without_the_silent(intent: &Intent, facts: &Facts) -> SitePlan {
    founds_on(intent, facts, |node| !node.empty)
}

#[test]
fn rule_1_a_founding_before_every_node_has_spoken() {
    // database-0 is behind the others, and back before they are.
    let alone =
        [Op::Look(0), Op::Plan(0), Op::Land(0, 0, Fate::Fine), Op::Progress, Op::Look(0), Op::Plan(0)];
    let ops = [&[kill(5), Op::Write, Op::Write, kill(6), kill(7)][..], &alone].concat();
    caught(founds_without_the_silent, &wanted(1, Three), &ops, "rule 1", "S1");
}

/// Rule 1: every first node founds as it starts, whoever else is there.
fn founds_as_it_starts(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    for step in &mut plan.steps {
        if let (Part::Database(0), Action::CreateNode(spec)) = (step.part, &mut step.action) {
            spec.founds = facts.ready(Part::DatabaseVolume(0)).map(|volume| volume.id.clone());
        }
    }
    plan
}

#[test]
fn rule_1_a_founding_without_an_order_beside_others() {
    let lost = [Op::Outside(1, Outside::Vanish)];
    caught(founds_as_it_starts, &wanted(1, Three), &lost, "rule 1", "S1");
}
