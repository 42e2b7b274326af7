//! Plans, as a dry run shows them.

use serde::Serialize;
use wpaas_core::converge::{Hold, SitePlan, Step};

/// What would be done now, and what the rest waits for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PlanView {
    steps: Vec<StepView>,
    waiting: Vec<HoldView>,
    /// The same for people.
    text: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StepView {
    part: String,
    text: String,
    /// Why it would be taken.
    why: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct HoldView {
    part: String,
    reason: String,
}

impl From<SitePlan> for PlanView {
    fn from(plan: SitePlan) -> Self {
        let text = plan.to_string();
        let SitePlan { site: _, generation: _, steps, holds } = plan;
        let step = |step: &Step| StepView {
            part: step.part.to_string(),
            text: step.to_string(),
            why: step.why.to_string(),
        };
        let hold =
            |Hold { part, reason }: &Hold| HoldView { part: part.to_string(), reason: reason.to_string() };
        Self { steps: steps.iter().map(step).collect(), waiting: holds.iter().map(hold).collect(), text }
    }
}
