//! Rules 4 and 5: what stays with a site that stays.

use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Outside, Trial, wanted};
use wpaas_core::converge::{Facts, Intent, Part, SitePlan, Wanted, plan};
use wpaas_core::site::DatabaseSize::{One, Three};

use super::{caught, removing};

/// Rule 4: a resting site loses its uploads.
pub fn rests_without_uploads(intent: &Intent, facts: &Facts) -> SitePlan {
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

/// Rule 4: a leaver's volume goes with its node, whatever the others are.
fn drops_leavers_early(intent: &Intent, facts: &Facts) -> SitePlan {
    let Wanted::Run(run) = &intent.wanted else { return plan(intent, facts) };
    let left = |part| facts.object(part).is_none() && !facts.busy.contains(&part);
    removing(intent, facts, |part| match part {
        Part::DatabaseVolume(n) => n >= run.database.nodes() && left(Part::Database(n)),
        _ => false,
    })
}

#[test]
fn rule_4_a_leavers_storage_before_the_others_are_synced() {
    // In the order of parts: a network, three volumes, the uploads, the database nodes.
    let (stays, leaver) = (5, 7);
    let land = Op::Land(0, 0, Fate::Fine);
    let kills_what_stays = [
        Op::User(Change::Database(One)),
        Op::Learn(0),
        Op::Outside(leaver, Outside::Vanish),
        Op::Outside(stays, Outside::Kill),
        Op::Look(0),
        Op::Plan(0),
        land,
        land,
        land,
    ];
    caught(drops_leavers_early, &wanted(1, Three), &kills_what_stays, "rule 4", "S6");
}
