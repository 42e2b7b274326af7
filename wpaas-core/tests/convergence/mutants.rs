//! A planner that breaks one rule of ARCHITECTURE.md is caught: by the lint, and without it by what happens.

use std::time::Duration;

use wpaas_core::converge::simulated::{Law, Weather};
use wpaas_core::converge::storm::Storm;
use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Outside, Planner, Trial, wanted};
use wpaas_core::converge::{
    Action, Coverage, DatabaseOrder, DatabasePhase, DatabaseReport, Facts, FileContent, Intent, NodeReport,
    Part, PartMap, SitePlan, Step, StepReason, Wanted, lint, plan,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::{One, Three};

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
fn stops_all_databases(intent: &Intent, facts: &Facts) -> SitePlan {
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
fn old_ones_first(intent: &Intent, facts: &Facts) -> SitePlan {
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

/// Rule 4: a resting site loses its uploads.
fn rests_without_uploads(intent: &Intent, facts: &Facts) -> SitePlan {
    if intent.wanted != Wanted::Rest || facts.objects.iter().any(|object| object.part.is_node()) {
        return plan(intent, facts);
    }
    removing(intent, facts, |part| part == Part::UploadsVolume)
}

#[test]
fn rule_4_storage_of_a_site_that_stays() {
    caught(rests_without_uploads, &wanted(1, One), &[Op::User(Change::Rest)], "rule 4", "S6");
}

/// The removal of the uploads ends so; then what came late takes effect.
#[track_caller]
fn caught_when_it_ends(fate: Fate) {
    let mut trial = Trial::new(rests_without_uploads, wanted(1, One)).without_lint();
    trial.converge().unwrap();
    let mut rest = || {
        trial.take(Op::User(Change::Rest))?;
        trial.take(Op::Learn(0))?;
        for _ in 0..9 {
            trial.take(Op::Look(0))?;
            trial.take(Op::Plan(0))?;
            while trial.begun(0) > 0 {
                trial.take(Op::Land(0, 0, fate))?;
                trial.take(Op::Late(0))?;
            }
            trial.take(Op::Progress)?;
        }
        Ok(())
    };
    let failure: Failure = rest().unwrap_err();
    assert!(failure.what.starts_with("S6"), "{fate:?}: {failure}");
}

#[test]
fn rule_4_also_where_a_removal_comes_late_or_its_server_crashes() {
    for fate in [Fate::Fine, Fate::Unanswered, Fate::Delayed, Fate::HalfMade] {
        caught_when_it_ends(fate);
    }
}

/// Rule 5: a resting site gives its network back, and so its address.
fn rests_without_network(intent: &Intent, facts: &Facts) -> SitePlan {
    if intent.wanted != Wanted::Rest || facts.objects.iter().any(|object| object.part.is_node()) {
        return plan(intent, facts);
    }
    removing(intent, facts, |part| part == Part::Network)
}

#[test]
fn rule_5_a_network_of_a_site_that_stays() {
    caught(rests_without_network, &wanted(1, One), &[Op::User(Change::Rest)], "rule 5", "rule 5");
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

/// Rule 8: serves what is only to be tried.
fn serves_untried(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut hasty = intent.clone();
    if let Wanted::Run(run) = &mut hasty.wanted
        && let Some(candidate) = run.candidate.take()
    {
        run.release = Some(candidate.release);
    }
    plan(&hasty, facts)
}

#[test]
fn rule_8_visitors_get_what_has_not_proved_itself() {
    caught(serves_untried, &wanted(2, One), &[Op::User(Change::Release(Some(1)))], "rule 8", "S12");
}

/// Rule 8: sends visitors to a node that shows a release under another name.
fn mixes_previews_in(intent: &Intent, facts: &Facts) -> SitePlan {
    let mut plan = plan(intent, facts);
    for step in &mut plan.steps {
        let (Action::Configure { files, .. }, Part::Gateway(_)) = (&mut step.action, step.part) else {
            continue;
        };
        for file in files {
            if let FileContent::Text(text) = &mut file.content {
                *text = text.replace("=preview beta.blog.acm.www.wpaas.localhost", "=ready");
            }
        }
    }
    plan
}

#[test]
fn rule_8_visitors_sent_to_a_preview() {
    caught(mixes_previews_in, &wanted(2, One), &[Op::User(Change::Preview(Some(1)))], "rule 8", "S12");
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

/// S2: where names don't keep a backend from making a part twice, an answer that is lost makes two.
#[test]
fn a_part_that_is_made_twice() {
    let mut trial = Trial::new(plan, wanted(1, One)).without_law(Law::Names);
    let twice = [Op::Plan(0), Op::Land(0, 0, Fate::Unanswered), Op::Plan(0), Op::Land(0, 2, Fate::Fine)];
    let failure = twice.into_iter().try_for_each(|op| trial.take(op)).unwrap_err();
    assert!(failure.what.starts_with("S2"), "{failure}");
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

/// A listing that is not complete proves no absence.
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
