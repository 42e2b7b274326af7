use super::{Action, Facts, Hold, HoldReason, Intent, SitePlan};
use crate::site::Generation;

/// The newest generation that a part of the site was made for, where that is newer than what is wanted: the store has
/// lost commits, as when a standby took over.
#[must_use]
pub fn floor(intent: &Intent, facts: &Facts) -> Option<Generation> {
    facts.newest().filter(|newest| *newest > intent.generation)
}

/// What may be done of a plan that rests on a store that is behind: what heals. What takes something away, or leads
/// visitors elsewhere, waits until a person has said again what is wanted.
#[must_use]
pub fn keep_what_runs(plan: SitePlan) -> SitePlan {
    only(plan, heals, &HoldReason::StoreBehind)
}

/// What may be done of a plan while listings lack more than is believed: nothing is removed.
#[must_use]
pub fn keep_what_is_there(plan: SitePlan) -> SitePlan {
    only(plan, |action| !matches!(action, Action::Remove { .. }), &HoldReason::Doubted)
}

/// Only these of the plan's actions are taken; the others wait.
fn only(mut plan: SitePlan, taken: impl Fn(&Action) -> bool, reason: &HoldReason) -> SitePlan {
    let (steps, waits): (Vec<_>, Vec<_>) = plan.steps.into_iter().partition(|step| taken(&step.action));
    plan.steps = steps;
    plan.holds.extend(waits.into_iter().map(|step| Hold { part: step.part, reason: reason.clone() }));
    plan
}

const fn heals(action: &Action) -> bool {
    match action {
        Action::CreateNetwork
        | Action::CreateVolume
        | Action::CreateRelease { .. }
        | Action::CreateNode(_)
        | Action::StartNode { .. }
        | Action::Order { .. }
        | Action::Lead { .. } => true,
        Action::Configure { .. } | Action::Remove { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::{ObjectId, Part, Step, StepReason};
    use crate::id::SiteId;

    #[test]
    fn what_takes_away_or_leads_elsewhere_waits() {
        let (site, object) = (SiteId::new(), ObjectId::new("a"));
        let why = StepReason::Down;
        let step = |part, action| Step { site, generation: 7, epoch: 1, part, action, why };
        let heal = step(Part::Database(0), Action::StartNode { object: object.clone() });
        let steps = vec![
            heal.clone(),
            step(Part::Wordpress(0), Action::Remove { object: object.clone() }),
            step(Part::Gateway(0), Action::Configure { object, files: Vec::new() }),
        ];
        let kept = keep_what_runs(SitePlan { site, generation: 7, steps, holds: Vec::new() });
        assert_eq!(kept.steps, std::slice::from_ref(&heal));
        let held = |part| Hold { part, reason: HoldReason::StoreBehind };
        assert_eq!(kept.holds, [held(Part::Wordpress(0)), held(Part::Gateway(0))]);
        let steps =
            vec![heal.clone(), step(Part::Wordpress(0), Action::Remove { object: ObjectId::new("b") })];
        let kept = keep_what_is_there(SitePlan { site, generation: 7, steps, holds: Vec::new() });
        assert_eq!(kept.steps, [heal]);
        assert_eq!(kept.holds, [Hold { part: Part::Wordpress(0), reason: HoldReason::Doubted }]);
    }
}
