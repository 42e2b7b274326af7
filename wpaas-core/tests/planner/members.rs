//! What is decided of each database node, by what it says: facts bent by hand.

use std::sync::Arc;

use super::support::{Harness, object, wanted, without};
use wpaas_core::converge::{
    Action, DatabasePhase, DatabaseReport, Facts, Fingerprint, HoldReason, NodeReport, Part, Position,
    SitePlan, Step, StepReason, plan,
};
use wpaas_core::site::DatabaseSize::{One, Three};

/// What the plan does with a part, and why.
fn done_to(plan: &SitePlan, part: Part) -> Option<(String, StepReason)> {
    let step = plan.steps.iter().find(|step| step.part == part)?;
    Some((step.to_string(), step.why))
}

/// It was made of something else than what is wanted now.
fn outdate(facts: &mut Facts, part: Part) {
    object(facts, part).fingerprint = Some(Fingerprint::of(["another"]));
}

#[test]
fn a_leaver_that_has_ended_is_not_started_again_while_others_serve() {
    let mut site = Harness::up(wanted(1, Three));
    let part = Part::Database(2);
    assert!(site.kill(part));
    let facts = site.facts();
    let start = Some(("start database-2".to_owned(), StepReason::Down));
    assert_eq!(done_to(&plan(&site.intent, &facts), part), start, "it is to stay");
    site.change(|run| run.database = One);
    let remove = Some(("remove database-2".to_owned(), StepReason::TooMany));
    assert_eq!(done_to(&plan(&site.intent, &facts), part), remove);
    let mut alone = facts.clone();
    alone.reports.retain(|report| !matches!(report.part, Part::Database(_)));
    assert_eq!(done_to(&plan(&site.intent, &alone), part), start, "its data may be needed for a founding");
}

#[test]
fn an_outdated_node_that_has_ended_is_made_anew() {
    let mut site = Harness::up(wanted(1, Three));
    let part = Part::Database(2);
    assert!(site.kill(part));
    let mut facts = site.facts();
    outdate(&mut facts, part);
    let remove = Some(("remove database-2".to_owned(), StepReason::Outdated));
    assert_eq!(done_to(&plan(&site.intent, &facts), part), remove);
}

#[test]
fn a_node_whose_volume_is_gone_goes_unless_it_is_synced() {
    let mut site = Harness::up(wanted(1, Three));
    let (part, volume) = (Part::Database(1), Part::DatabaseVolume(1));
    let whole = site.facts();
    let synced_without = without(&whole, volume);
    assert_eq!(done_to(&plan(&site.intent, &synced_without), part), None, "the others may need it");
    let out = saying(&whole, |n, report| {
        if n == 1 {
            (report.state, report.primary, report.phase) = (None, false, DatabasePhase::Starting);
        }
    });
    assert_eq!(done_to(&plan(&site.intent, &out), part), None, "it has its volume");
    let remove = Some(("remove database-1".to_owned(), StepReason::LostVolume));
    assert_eq!(done_to(&plan(&site.intent, &without(&out, volume)), part), remove);
}

#[test]
fn why_a_node_goes_is_told() {
    let mut alone = Harness::up(wanted(1, One));
    let mut facts = alone.facts();
    outdate(&mut facts, Part::Database(0));
    let remove = Some(("remove database-0".to_owned(), StepReason::Outdated));
    assert_eq!(done_to(&plan(&alone.intent, &facts), Part::Database(0)), remove);
    let mut shrinks = Harness::up(wanted(1, Three));
    shrinks.change(|run| run.database = One);
    for n in [2, 1] {
        let part = Part::Database(n);
        let done = std::iter::repeat_with(|| done_to(&shrinks.pass(), part)).flatten().next().unwrap();
        assert_eq!(done, (format!("remove {part}"), StepReason::TooMany));
    }
}

#[test]
fn an_outdated_node_that_waits_for_an_order_is_in_no_component_and_goes() {
    let mut site = Harness::up(wanted(1, Three));
    let mut facts = saying(&site.facts(), |_, report| waits(report, None));
    let part = Part::Database(2);
    outdate(&mut facts, part);
    let remove = Some(("remove database-2".to_owned(), StepReason::Outdated));
    assert_eq!(done_to(&plan(&site.intent, &facts), part), remove);
}

#[test]
fn a_leaver_that_waits_for_an_order_gets_none() {
    let mut site = Harness::up(wanted(1, Three));
    let part = Part::Database(1);
    let facts = saying(&site.facts(), |n, report| {
        if n == 1 {
            waits(report, None);
        }
    });
    let ordered = |site: &Harness| {
        let order = |step: &&Step| step.part == part && matches!(step.action, Action::Order { .. });
        plan(&site.intent, &facts).steps.iter().any(|step| order(&step))
    };
    assert!(ordered(&site), "it is to stay");
    site.change(|run| run.database = One);
    assert!(!ordered(&site));
}

/// Says of each database node what this makes of its report.
fn saying(facts: &Facts, say: impl Fn(u8, &mut DatabaseReport)) -> Facts {
    let mut facts = facts.clone();
    for heard in &mut facts.reports {
        if let (Part::Database(n), NodeReport::Database(report)) = (heard.part, &mut heard.node) {
            say(n, Arc::make_mut(report));
        }
    }
    facts
}

/// It waits for an order, with this position.
fn waits(report: &mut DatabaseReport, position: Option<Position>) {
    (report.phase, report.state, report.primary) = (DatabasePhase::Waiting, None, false);
    report.position = position;
}

fn founds(site: &Harness, facts: &Facts) -> Option<Part> {
    let found = |step: &&Step| step.to_string().contains("to found component");
    plan(&site.intent, facts).steps.iter().find(found).map(|step| step.part)
}

#[test]
fn a_founding_waits_for_every_node_that_is_wanted_or_may_hold_data() {
    let mut site = Harness::up(wanted(1, Three));
    let uuid = uuid::Uuid::from_u128(7);
    let all = saying(&site.facts(), |n, report| {
        waits(report, Some(Position { uuid, seqno: 10 - i64::from(n) }));
    });
    let missing = [
        without(&all, Part::Database(2)),
        without(&without(&all, Part::Database(2)), Part::DatabaseVolume(2)),
    ];
    assert_eq!(founds(&site, &all), Some(Part::Database(0)));
    for facts in &missing {
        assert_eq!(founds(&site, facts), None, "three are wanted");
    }
    site.change(|run| run.database = One);
    assert_eq!(founds(&site, &missing[0]), None, "its volume may hold more");
    let gone = without(&without(&missing[1], Part::Database(1)), Part::DatabaseVolume(1));
    assert_eq!(founds(&site, &gone), Some(Part::Database(0)), "nothing is left of the others");
}

#[test]
fn where_all_copies_were_cut_off_each_is_told_to_a_person_and_no_empty_one() {
    let mut site = Harness::up(wanted(1, Three));
    let torn = saying(&site.facts(), |n, report| {
        waits(report, None);
        report.empty = n == 2;
    });
    let holds = plan(&site.intent, &torn).holds;
    let told: Vec<_> =
        holds.iter().filter(|hold| hold.reason == HoldReason::TornData).map(|hold| hold.part).collect();
    assert_eq!(told, [Part::DatabaseVolume(0), Part::DatabaseVolume(1)]);
}

#[test]
fn a_node_without_its_component_is_replaced_sooner_where_another_waits() {
    let mut site = Harness::up(wanted(1, Three));
    let whole = site.facts();
    let replaced = |lost_for, another_waits: bool| {
        let facts = saying(&whole, |n, report| {
            if n == 0 && another_waits {
                waits(report, None);
            } else {
                (report.state, report.primary, report.lost_for) = (Some(0), false, Some(lost_for));
            }
        });
        let plan = plan(&site.intent, &facts);
        let founding = plan.holds.iter().any(|hold| matches!(hold.reason, HoldReason::Founding(_)));
        let lost = plan.steps.iter().filter(|step| step.why == StepReason::LostComponent).count();
        assert_ne!(founding, lost > 0, "either it is waited for, or replaced: {plan}");
        lost
    };
    assert_eq!((replaced(4, true), replaced(5, true)), (0, 2));
    assert_eq!((replaced(19, false), replaced(20, false)), (0, 3));
}

#[test]
fn who_holds_nothing_does_not_found_while_another_holds_data() {
    let mut site = Harness::up(wanted(1, Three));
    let known = site.facts();
    // What was never in a component has no history, whether anything is on it or not.
    for without_history in [true, false] {
        let facts = saying(&known, |n, report| {
            let (uuid, seqno) = if n == 1 { (uuid::Uuid::from_u128(7), 5) } else { (uuid::Uuid::nil(), -1) };
            waits(report, Some(Position { uuid, seqno }));
            report.empty = n != 1 && without_history;
        });
        assert_eq!(founds(&site, &facts), Some(Part::Database(1)));
    }
}
