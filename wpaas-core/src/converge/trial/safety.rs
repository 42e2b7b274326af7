//! What must never be, looked up in what really is: apart from the planner and from the lint.

use super::{Failure, Trial};
use crate::converge::simulated::World;
use crate::converge::{Action, ErrorClass, ObjectState, Part, Scope, Step, StepReason, Wanted};
use crate::id::SiteId;

/// A world with objects of a site that nobody knows: nothing may touch them.
#[must_use]
pub fn with_decoys() -> World {
    let site = SiteId::from_uuid(uuid::Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_00ff));
    let mut world = World::default();
    let parts = [
        (Part::Network, Action::CreateNetwork),
        (Part::DatabaseVolume(0), Action::CreateVolume),
        (Part::UploadsVolume, Action::CreateVolume),
    ];
    for (part, action) in parts {
        let made =
            world.apply(&Step { site, generation: 1, epoch: 1, part, action, why: StepReason::Missing });
        debug_assert!(made.is_ok(), "an empty world refuses nothing");
    }
    world
}

/// What a step is judged by.
#[derive(Debug)]
pub struct Case<'a> {
    /// The site that it is to be of.
    pub site: SiteId,
    /// What was wanted by the spec that it was planned for…
    pub planned: &'a Wanted,
    /// …and what is wanted now.
    pub wanted: &'a Wanted,
    /// Whether its server knows of all that came from outside, and of the newest spec.
    pub informed: bool,
    /// Whether what is newer refuses it; what was accepted long ago and takes effect late is past that.
    pub fenced: bool,
}

/// Whether a step that is about to take effect does harm: S3, S4, S6, S13, rules 5 and 6.
///
/// # Errors
///
/// What harm.
pub fn judge(world: &World, step: &Step, case: &Case<'_>) -> Result<(), String> {
    if step.site != case.site {
        return Err(format!("rule 6: {step} of another site"));
    }
    let Action::Remove { object } = &step.action else { return Ok(()) };
    let there = world.object(step.site, step.part).filter(|there| there.id == *object);
    let Some(there) = there else { return Ok(()) };
    if (case.fenced && is_refused(world, step)) || there.state == ObjectState::Removing {
        return Ok(());
    }
    if step.part.holds_data() {
        return judge_data(world, step, case);
    }
    if !case.informed {
        return Ok(());
    }
    match step.part {
        Part::Database(n) => judge_quorum(world, n, case),
        Part::Wordpress(slot) if step.part.serves_visitors() => {
            judge_drained(world, step.part, case)?;
            judge_serving(world, slot, case)
        }
        Part::Network if *case.wanted != Wanted::Gone && there.state != ObjectState::Broken => {
            Err("rule 5: removes the network of a site that is not gone".into())
        }
        _ => Ok(()),
    }
}

/// Whether a part of the site is newer than the plan of this step.
pub(crate) fn is_refused(world: &World, step: &Step) -> bool {
    let own = world.objects().filter(|(site, _)| *site == step.site);
    own.map(|(_, object)| (object.generation, object.epoch)).any(|mark| mark > (step.generation, step.epoch))
}

/// S6: storage goes with the site, or as a leaver's while all that are to stay are Synced.
fn judge_data(world: &World, step: &Step, case: &Case<'_>) -> Result<(), String> {
    match (case.planned, step.part) {
        (Wanted::Gone, _) => Ok(()),
        (Wanted::Run(run), Part::DatabaseVolume(n)) if n >= run.database.nodes() => {
            let stay = (0..run.database.nodes()).all(|n| world.is_synced(step.site, n));
            if stay || !case.informed {
                return Ok(());
            }
            Err(format!("S6: {step}: a leaver's storage, and not all that are to stay are Synced"))
        }
        // In use: a backend refuses that, too, but nobody may rely on it.
        (Wanted::Run(_) | Wanted::Rest, _) => Err(format!("S6: {step}: storage of a site that is to stay")),
    }
}

/// S3: by our own doing, never fewer than a majority of the wanted.
fn judge_quorum(world: &World, n: u8, case: &Case<'_>) -> Result<(), String> {
    let Wanted::Run(run) = case.wanted else { return Ok(()) };
    let (site, wanted) = (case.site, run.database.nodes());
    let others = (0..3).filter(|other| *other != n && world.is_synced(site, *other)).count();
    let ready =
        |n| world.object(site, Part::Database(n)).is_some_and(|node| node.state == ObjectState::Ready);
    let alone = wanted == 1 && !ready(1) && !ready(2);
    if !world.is_synced(site, n) || alone || others > usize::from(wanted) / 2 {
        return Ok(());
    }
    Err(format!("S3: database-{n} is stopped, and only {others} others are Synced"))
}

/// S13: a change cuts no request, unless that has had its time.
fn judge_drained(world: &World, part: Part, case: &Case<'_>) -> Result<(), String> {
    if matches!(case.wanted, Wanted::Run(_)) && world.is_awaited(case.site, part) {
        return Err(format!("S13: {part} is stopped while visitors wait at it"));
    }
    Ok(())
}

/// S4: with two or more wanted, a change never takes the serving ones below that.
fn judge_serving(world: &World, slot: u8, case: &Case<'_>) -> Result<(), String> {
    let Wanted::Run(run) = case.wanted else { return Ok(()) };
    let serves = |slot: &u8| world.serves(case.site, *slot);
    let others = (0..Part::APART_SLOTS).filter(|other| *other != slot && serves(other)).count();
    if run.wordpress < 2 || !serves(&slot) || others >= usize::from(run.wordpress) {
        return Ok(());
    }
    Err(format!("S4: wordpress-{slot} is stopped, and only {others} others serve"))
}

impl Trial {
    /// After everything that happens: S1 and S2 (which the world writes down), S5, S12.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if let Some((_, breach)) = self.world.breaches().next() {
            return Err(self.fail(breach));
        }
        let site = self.intent.site;
        let mut others = self.world.list(&Scope::Fleet);
        others.objects.retain(|(of, _)| *of != site);
        if others != self.decoys {
            return Err(self.fail("S5: an object of an unknown site was touched"));
        }
        let wrong = |(part, release): &(Part, &str)| part.is_apart() || !self.proved.contains(*release);
        if let Some((part, release)) = self.world.routed(site).find(wrong) {
            let what = "which is not for them, or has not proved itself";
            return Err(self.fail(format!("S12: visitors are sent to {part} with {release}, {what}")));
        }
        Ok(())
    }

    /// Before a step takes effect. `informed` says whether its server knows of all that came from outside: what
    /// it can't know, it can't be blamed for.
    pub(super) fn check_effect(&self, step: &Step, informed: bool) -> Result<(), Failure> {
        self.check_case(step, informed, true)
    }

    /// Before a step takes effect that was accepted long ago: nobody can be blamed for what has come since, but for
    /// what it was planned for.
    pub(super) fn check_late(&self, step: &Step) -> Result<(), Failure> {
        self.check_case(step, false, false)
    }

    fn check_case(&self, step: &Step, informed: bool, fenced: bool) -> Result<(), Failure> {
        let planned = self.wishes.get(&step.generation).unwrap_or(&self.intent.wanted);
        let informed = informed && step.generation == self.intent.generation;
        let case = Case { site: self.intent.site, planned, wanted: &self.intent.wanted, informed, fenced };
        judge(&self.world, step, &case).map_err(|what| self.fail(what))
    }

    /// S9: an older plan is refused where something newer is there, and changes nothing.
    pub(super) fn check_fence(&mut self, step: &Step) -> Result<(), Failure> {
        if !is_refused(&self.world, step) {
            return Ok(());
        }
        let before = self.world.clone();
        match self.world.apply(step) {
            Err(error) if error.class == ErrorClass::Conflict && self.world == before => Ok(()),
            _ => Err(self.fail(format!("S9: {step} of an older plan was taken"))),
        }
    }
}
