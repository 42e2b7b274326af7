//! Rules 4 and 5: what stays with a site that stays.

use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Trial, wanted};
use wpaas_core::converge::{Facts, Intent, Part, SitePlan, Wanted, plan};
use wpaas_core::site::DatabaseSize::One;

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
