//! Rules 2 and 3: how many nodes stay, and which requests are cut.

use wpaas_core::converge::trial::{Change, Fate, Op, wanted};
use wpaas_core::converge::{
    Action, DatabaseOrder, DatabasePhase, Facts, Intent, NodeReport, Part, PartMap, SitePlan, Wanted, plan,
};
use wpaas_core::site::DatabaseSize::{One, Three};

use super::{caught, removing, step, way};

/// Rule 2: lets everybody who waits join at once.
fn joins_all_at_once(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    let join = plan.steps.iter().find_map(|step| match &step.action {
        Action::Order { order: order @ DatabaseOrder::Join { .. }, .. } => Some((step.part, *order)),
        _ => None,
    });
    let Some((first, order)) = join else { return plan };
    for report in facts.reports.iter().filter(|report| report.part != first) {
        let NodeReport::Database(node) = &report.node else { continue };
        if let (DatabasePhase::Waiting, Some(object)) = (node.phase, facts.ready(report.part)) {
            let action = Action::Order { object: object.id.clone(), boot: report.boot.clone(), order };
            plan.steps.push(step(intent, report.part, action));
        }
    }
    plan
}

#[test]
fn rule_2_two_joiners_at_once() {
    // By the lint alone: the component of a simulated world is not split by that, as one of Galera can be.
    let failure = way(joins_all_at_once, wanted(1, Three), &[], true).unwrap_err();
    assert!(failure.what.starts_with("rule 2"), "{failure}");
}

/// Rule 2: replaces every database node at once.
pub fn stops_all_databases(intent: &Intent, facts: &Facts) -> SitePlan {
    if intent.generation < 2 || !matches!(intent.wanted, Wanted::Run(_)) {
        return plan(intent, facts);
    }
    removing(intent, facts, |part| matches!(part, Part::Database(0 | 1)))
}

#[test]
fn rule_2_database_nodes_stopped_without_a_quorum() {
    caught(stops_all_databases, &wanted(1, Three), &[Op::User(Change::Admin)], "rule 2", "S3");
}

/// Rule 3: lets the old nodes go before the new ones serve.
pub fn old_ones_first(intent: &Intent, facts: &Facts) -> SitePlan {
    if intent.generation < 2 || !matches!(intent.wanted, Wanted::Run(_)) {
        return plan(intent, facts);
    }
    removing(intent, facts, |part| matches!(part, Part::Wordpress(_)))
}

#[test]
fn rule_3_wordpress_nodes_gone_before_others_serve() {
    caught(old_ones_first, &wanted(2, One), &[Op::User(Change::Release(Some(1)))], "rule 3", "S4");
}

/// Rule 3: lets a node go as soon as it gets nothing new.
fn cuts_requests(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut deaf = facts.clone();
    for report in &mut deaf.reports {
        if let NodeReport::Gateway(gateway) = &mut report.node {
            gateway.draining = PartMap::default();
        }
    }
    plan(intent, &deaf)
}

#[test]
fn rule_3_requests_that_are_cut() {
    // The drain is in force at the third look; what the mutant then does would be as well without the visitor.
    let mut ops = vec![Op::Look(0), Op::Visit(1), Op::User(Change::Wordpress(1)), Op::Learn(0)];
    for _ in 0..3 {
        ops.extend([Op::Look(0), Op::Plan(0), Op::Land(0, 0, Fate::Fine), Op::Progress]);
    }
    caught(cuts_requests, &wanted(2, One), &ops, "rule 3", "S13");
}
