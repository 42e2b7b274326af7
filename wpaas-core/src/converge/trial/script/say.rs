//! What a script says, for people.

use super::{Fate, SitePlan, Step, Trial};
use crate::converge::{
    Action, Coverage, DatabasePhase, DatabaseReport, Facts, NodeReport, ObjectState, WordpressPhase,
};

/// Without the fingerprint, which says nothing to people and changes with every node set-up.
pub(super) fn step(step: &Step) -> String {
    match &step.action {
        Action::CreateNode(spec) => format!("create {} ({} MiB)", step.part, spec.memory_mib),
        Action::CreateRelease { .. } => format!("create {}", step.part),
        _ => step.to_string(),
    }
}

pub(super) fn steps(plan: &SitePlan) -> String {
    plan.steps.iter().map(step).collect::<Vec<_>>().join("; ")
}

pub(super) fn plan(plan: &SitePlan) -> Vec<String> {
    if plan.is_empty() {
        return vec!["nothing to do".into()];
    }
    let holds = plan.holds.iter().map(|hold| format!("({} {})", hold.part, hold.reason));
    plan.steps.iter().map(step).chain(holds).collect()
}

pub(super) fn fate(fate: Fate, changed: bool) -> String {
    let did = if changed { "done" } else { "changes nothing" };
    match fate {
        Fate::Fine => did.into(),
        Fate::Lost => "the request was lost".into(),
        Fate::Unanswered => format!("{did}, but the answer was lost"),
        Fate::Delayed => "no answer, and done later".into(),
        Fate::Doubled => format!("{did}, and later once more"),
        Fate::HalfMade => "crashed half way".into(),
        Fate::Throttled => "too many calls".into(),
    }
}

/// How many nodes do what they are there for.
pub(super) fn serving(trial: &Trial) -> Vec<String> {
    let (synced, serving) = trial.in_service();
    vec![format!("serving: {serving} WordPress, {synced} Synced database")]
}

pub(super) fn facts(facts: &Facts) -> Vec<String> {
    let mut said: Vec<String> = facts
        .objects
        .iter()
        .map(|object| {
            let drifted =
                if object.part.is_node() && object.fingerprint.is_none() { ", changed" } else { "" };
            let report = facts.report(object.part).map(|report| format!(", {}", report_of(&report.node)));
            let silent =
                if object.part.is_node() && object.state == ObjectState::Ready { ", silent" } else { "" };
            let report = report.unwrap_or_else(|| silent.into());
            format!("{:<20} {}{drifted}{report}", object.part.to_string(), state(object.state))
        })
        .collect();
    if said.is_empty() {
        said.push("nothing of it is there".into());
    }
    if facts.coverage == Coverage::Partial {
        said.push("what is not listed may be there".into());
    }
    said
}

const fn state(state: ObjectState) -> &'static str {
    match state {
        ObjectState::Incomplete => "half made",
        ObjectState::Ready => "ready",
        ObjectState::Stopped => "stopped",
        ObjectState::Frozen => "frozen",
        ObjectState::Removing => "leaving",
        ObjectState::Broken => "broken",
    }
}

fn report_of(node: &NodeReport) -> String {
    match node {
        NodeReport::Database(report) => database(report),
        NodeReport::Wordpress(report) => match report.phase {
            WordpressPhase::Serving => format!("serves {}", release(&report.release)),
            WordpressPhase::Waiting => "waits for the database".into(),
            WordpressPhase::Installing => "installs".into(),
            WordpressPhase::Probing => format!("tries {}", release(&report.release)),
            WordpressPhase::Restoring => "restores the database".into(),
            WordpressPhase::Upgrading => "changes the schema of the database".into(),
            WordpressPhase::Refused => format!("has tried {}, which is no good", release(&report.release)),
            WordpressPhase::Failed => "failed".into(),
        },
        NodeReport::Gateway(report) if report.revision.is_some() => "follows its routes".into(),
        NodeReport::Gateway(_) => "starts".into(),
    }
}

/// As much of a digest as tells releases apart.
pub(super) fn release(name: &str) -> &str {
    name.get(..15).unwrap_or(name)
}

fn database(report: &DatabaseReport) -> String {
    let founding = report.founding;
    match (report.phase, &report.position) {
        (DatabasePhase::Waiting, Some(position)) => {
            format!("waits, at {} of component {founding}", position.seqno)
        }
        (DatabasePhase::Waiting, None) if report.empty => "waits, empty".into(),
        (DatabasePhase::Waiting, None) => "waits, holds a copy that was cut off".into(),
        (DatabasePhase::Running, _) if report.is_synced() => format!("Synced in component {founding}"),
        (DatabasePhase::Running, _) => format!("has no quorum in component {founding}"),
        (DatabasePhase::Recovering | DatabasePhase::Starting, _) => "starts".into(),
        (DatabasePhase::Failed, _) => "failed".into(),
    }
}
