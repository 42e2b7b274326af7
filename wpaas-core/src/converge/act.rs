use serde::Serialize;

use super::{Facts, Intent, ObjectState, SitePlan, Step, Wanted};

/// A step that is taken, why, and what was seen of the part before, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// As it is printed: `start wordpress-0`.
    pub step: String,
    /// Of its part: `runs, made for generation 1`.
    pub found: String,
    /// What the planner took it for: `is not as it is wanted now`.
    pub why: String,
}

/// What the plan's steps are for a site that was up before, in their order; none for one that is on its way up for the
/// first time, or on its way out: that is what a person asked for.
#[must_use]
pub fn acts(intent: &Intent, facts: &Facts, plan: &SitePlan) -> Vec<Act> {
    match &intent.wanted {
        Wanted::Run(run) if run.was_founded => {
            let act = |step: &Step| Act {
                step: step.to_string(),
                found: found(facts, step),
                why: step.why.to_string(),
            };
            plan.steps.iter().map(act).collect()
        }
        _ => Vec::new(),
    }
}

fn found(facts: &Facts, step: &Step) -> String {
    let Some(object) = facts.object(step.part) else { return "is not there".to_owned() };
    let is = match object.state {
        ObjectState::Incomplete => "was not made to its end",
        ObjectState::Ready if step.part.is_node() => "runs",
        ObjectState::Ready => "is there",
        ObjectState::Stopped => "does not run",
        ObjectState::Frozen => "is frozen",
        ObjectState::Removing => "is being removed",
        ObjectState::Broken => "can't become whole again",
    };
    if object.generation == step.generation {
        return is.to_owned();
    }
    format!("{is}, made for generation {}", object.generation)
}
