//! L4: what nodes say in the end.

use wpaas_core::converge::trial::{Change, Op, Planner, wanted};
use wpaas_core::converge::{Action, Facts, FileContent, Intent, Part, SitePlan, plan};
use wpaas_core::site::DatabaseSize::One;

use super::way;

/// L4: never tells nodes of a new password, and thinks no more of it.
fn forgets_the_password(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    plan.steps
        .retain(|step| !matches!((step.part, &step.action), (Part::Wordpress(_), Action::Configure { .. })));
    let (waits, told) = (plan.steps.is_empty(), |part: Part| matches!(part, Part::Wordpress(_)));
    plan.holds.retain(|hold| !(waits && told(hold.part)));
    plan
}

/// L4: gateways answer to another name.
fn misspells(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    for step in &mut plan.steps {
        let files = match &mut step.action {
            Action::CreateNode(spec) => &mut spec.files,
            Action::Configure { files, .. } => files,
            _ => continue,
        };
        for file in files {
            if let FileContent::Text(text) = &mut file.content {
                *text = text.replace("blog.acm.", "blog.acme.");
            }
        }
    }
    plan
}

#[test]
fn what_nodes_say_is_compared_with_a_fresh_deployment() {
    for (mutant, ops) in [(forgets_the_password as Planner, &[Op::User(Change::Admin)][..]), (misspells, &[])]
    {
        way(plan, wanted(2, One), ops, true).unwrap();
        let failure = way(mutant, wanted(2, One), ops, true).unwrap_err();
        assert!(failure.what.starts_with("L4: a fresh deployment says"), "{failure}");
    }
}
