//! A planner that breaks one rule of ARCHITECTURE.md is caught: by the lint, and without it by what happens.

use std::time::Duration;

use wpaas_core::converge::simulated::{Law, Weather};
use wpaas_core::converge::storm::Storm;
use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Outside, Planner, Trial, wanted};
use wpaas_core::converge::{Action, Coverage, Facts, Intent, Part, SitePlan, Step, StepReason, lint, plan};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::One;

use self::keeping::rests_without_uploads;
use self::nodes::{old_ones_first, stops_all_databases};
use self::releases::serves_untried;

mod founding;
mod keeping;
mod nodes;
mod releases;
mod told;

/// Goes a way with a mutant: up by the real planner's way, then these, then to the end.
fn way(
    mutant: Planner,
    run: wpaas_core::converge::RunIntent,
    ops: &[Op],
    linted: bool,
) -> Result<(), Failure> {
    let trial = Trial::new(mutant, run);
    let mut trial = if linted { trial } else { trial.without_lint() };
    trial.converge()?;
    for op in ops {
        trial.take(*op)?;
    }
    trial.finish()
}

/// The real planner passes; the mutant is caught by this rule of the lint, and by this check without it.
#[track_caller]
fn caught(mutant: Planner, run: &wpaas_core::converge::RunIntent, ops: &[Op], rule: &str, check: &str) {
    way(plan, run.clone(), ops, true).unwrap();
    let by_lint = way(mutant, run.clone(), ops, true).unwrap_err();
    assert!(by_lint.what.starts_with(rule), "by the lint: {by_lint}");
    let by_world = way(mutant, run.clone(), ops, false).unwrap_err();
    assert!(by_world.what.starts_with(check), "without the lint: {by_world}");
}

fn kill(part: u8) -> Op {
    Op::Outside(part, Outside::Kill)
}

fn step(intent: &Intent, part: Part, action: Action) -> Step {
    let Intent { site, generation, epoch, .. } = *intent;
    Step { site, generation, epoch, part, action, why: StepReason::Unused }
}

/// Removes every object that this picks, at once.
fn removing(intent: &Intent, facts: &Facts, picks: impl Fn(Part) -> bool) -> SitePlan {
    let mut plan = plan(intent, facts);
    for object in facts.objects.iter().filter(|object| picks(object.part)) {
        if !facts.busy.contains(&object.part) && !plan.steps.iter().any(|step| step.part == object.part) {
            plan.steps.push(step(intent, object.part, Action::Remove { object: object.id.clone() }));
        }
    }
    plan
}

/// Rule 6: a step strays to another site.
fn strays(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    if let Some(step) = plan.steps.iter_mut().find(|step| matches!(step.action, Action::CreateNetwork)) {
        step.site = SiteId::from_uuid(uuid::Uuid::nil());
    }
    plan
}

#[test]
fn rule_6_a_step_of_another_site() {
    caught(strays, &wanted(1, One), &[], "rule 6", "rule 6");
}

/// Rule 7: restarts the gateway whenever there is nothing else to do.
fn never_content(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    if plan.is_empty() && facts.coverage == Coverage::Complete {
        for object in facts.objects.iter().filter(|object| object.part == Part::Gateway(0)) {
            plan.steps.push(step(intent, object.part, Action::Remove { object: object.id.clone() }));
        }
    }
    plan
}

#[test]
fn rule_7_something_to_do_for_ever() {
    caught(never_content, &wanted(1, One), &[], "L1", "L1");
}

/// S8: the plan depends on more than the facts.
fn moody(intent: &Intent, facts: &Facts) -> SitePlan {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static MOOD: AtomicUsize = AtomicUsize::new(0);
    let mut plan = plan(intent, facts);
    if MOOD.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
        plan.steps.reverse();
    }
    plan
}

#[test]
fn a_planner_that_is_not_a_function_of_the_facts() {
    caught(moody, &wanted(1, One), &[], "S8", "S8");
}

/// S2: where names don't keep a backend from making a part twice, an answer that is lost makes two.
#[test]
fn a_part_that_is_made_twice() {
    let mut trial = Trial::new(plan, wanted(1, One)).without_law(Law::Names);
    let twice = [Op::Plan(0), Op::Land(0, 0, Fate::Unanswered), Op::Plan(0), Op::Land(0, 2, Fate::Fine)];
    let failure = twice.into_iter().try_for_each(|op| trial.take(op)).unwrap_err();
    assert!(failure.what.starts_with("S2"), "{failure}");
}

/// S9: where nothing refuses what is older, the step of a server that is behind is taken.
#[test]
fn a_step_of_an_older_plan() {
    let site = || Trial::new(plan, wanted(1, One)).with_two_servers();
    let behind = [Op::Plan(0), Op::Plan(1), Op::Land(1, 0, Fate::Fine), Op::Land(0, 1, Fate::Fine)];
    behind.into_iter().try_fold(site(), |mut trial, op| trial.take(op).map(|()| trial)).unwrap();
    let mut lawless = site().without_law(Law::Fence);
    let failure = behind.into_iter().try_for_each(|op| lawless.take(op)).unwrap_err();
    assert!(failure.what.starts_with("S9"), "{failure}");
}

/// One thing after another, so that a server knows of each before the next.
fn slow_storm(seed: u64) -> Storm {
    let weather = Weather { latency: Duration::from_millis(200), ..Weather::calm() };
    Storm { weather, sites: 1, happenings: 12, pace: Duration::from_secs(300), ..Storm::of(seed) }
}

/// The judge of storms sees what the trial's does: one of so many storms is failed by this check.
#[track_caller]
fn caught_in_storms(mutant: Planner, check: &str) {
    let mut failures = (0..40).filter_map(|seed| slow_storm(seed).run_by(mutant, false).err());
    assert!(failures.any(|failure| failure.what.contains(check)), "no storm finds {check}");
}

#[test]
fn storms_are_judged_apart_from_planner_and_lint() {
    caught_in_storms(stops_all_databases, "S3");
    caught_in_storms(old_ones_first, "S4");
    caught_in_storms(rests_without_uploads, "S6");
    caught_in_storms(serves_untried, "S12");
}

/// S11: a listing that is not complete proves no absence, and nothing is removed by it.
fn believes_partial_listings(intent: &Intent, facts: &Facts) -> SitePlan {
    plan(intent, &Facts { coverage: Coverage::Complete, ..facts.clone() })
}

#[test]
fn absence_from_a_partial_listing() {
    let trial = Trial::new(plan, wanted(1, One));
    let (intent, mut facts) = (trial.intent().clone(), Facts::nothing());
    facts.coverage = Coverage::Partial;
    assert_eq!(lint(&intent, &facts, &plan(&intent, &facts)), Ok(()));
    let broken = lint(&intent, &facts, &believes_partial_listings(&intent, &facts)).unwrap_err();
    assert_eq!(broken.why, "makes what may be there");
}

#[test]
fn a_removal_from_a_partial_listing() {
    let sees_only = |part| [Op::User(Change::Rest), Op::Restart(0), Op::LookPartly(0, part), Op::Plan(0)];
    let site = wanted(1, One);
    let gateway = 5;
    caught(believes_partial_listings, &site, &sees_only(gateway), "rule 6", "S11");
}
