//! What must never happen, judged at every effect on the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::book::{HOUR, Wish};
use crate::converge::simulated::{Witness, World};
use crate::converge::trial::{Case, is_refused, judge};
use crate::converge::{ErrorClass, Object, Part, ReleaseRef, Step, Wanted};
use crate::id::SiteId;
use crate::site::Generation;

/// Everybody who knows what happens tells it here.
#[derive(Debug, Clone)]
pub(super) struct Judge(Arc<Mutex<Court>>);

#[derive(Debug)]
struct Court {
    began: Instant,
    /// All that was ever wanted.
    wishes: BTreeMap<(SiteId, Generation), Wish>,
    /// Releases that visitors may get, as nodes call them.
    proved: BTreeSet<String>,
    /// When something last happened to a site that its server could not know of at once.
    disturbed: BTreeMap<SiteId, Instant>,
    decoys: Vec<(SiteId, Object)>,
    /// Since when each WordPress node that serves was seen to.
    serving: BTreeMap<(SiteId, u8), Instant>,
    /// By how much a clock has been ahead at most: a grace may have ended as much too early.
    ahead: Duration,
    /// The server of the last effect on a site.
    acted: BTreeMap<SiteId, u64>,
    log: Vec<String>,
    effects: usize,
    failure: Option<String>,
}

/// After this time everything that happened is known to whoever looks and listens: a silent node is stale, a resync
/// has listed it, and what was under way has landed.
const KNOWN: Duration = Duration::from_secs(60);

impl Judge {
    pub(super) fn new(world: &World) -> Self {
        let decoys = world.objects().map(|(site, object)| (site, object.clone())).collect();
        Self(Arc::new(Mutex::new(Court {
            began: Instant::now(),
            wishes: BTreeMap::new(),
            proved: BTreeSet::from([ReleaseRef::Stock.to_string()]),
            disturbed: BTreeMap::new(),
            decoys,
            serving: BTreeMap::new(),
            ahead: Duration::ZERO,
            acted: BTreeMap::new(),
            log: Vec::new(),
            effects: 0,
            failure: None,
        })))
    }

    fn court(&self) -> MutexGuard<'_, Court> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was done.
    pub(super) fn note(&self, what: impl AsRef<str>) {
        self.court().note(what.as_ref());
    }

    /// Something else is wanted of a site.
    pub(super) fn wished(&self, site: SiteId, wish: &Wish) {
        let mut court = self.court();
        court.note(&format!("wanted of {}: {wish}", short(site)));
        court.wishes.insert((site, wish.generation), wish.clone());
    }

    /// A release was tried, and proved itself or not.
    pub(super) fn judged(&self, site: SiteId, wish: &Wish) {
        self.wished(site, wish);
        let proved = wish.run.release.filter(|_| wish.run.refused.is_none());
        self.court().proved.extend(proved.map(|release| release.to_string()));
    }

    /// Something happened to a site that no server did.
    pub(super) fn disturbed(&self, site: SiteId, what: &str) {
        let mut court = self.court();
        court.note(&format!("{}: {what}", short(site)));
        court.disturbed.insert(site, Instant::now());
    }

    /// From now on a server may believe that it is an hour later.
    pub(super) fn clock_ahead(&self) {
        self.court().ahead = HOUR;
    }

    pub(super) fn effects(&self) -> usize {
        self.court().effects
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.court().log.clone()
    }

    /// Whether anything happened so far that must not.
    pub(super) fn verdict(&self, world: &World) -> Result<(), String> {
        let mut court = self.court();
        court.look(world);
        court.failure.clone().map_or(Ok(()), Err)
    }
}

/// Enough of a site's id to tell it from the others.
pub(super) fn short(site: SiteId) -> String {
    let [.., last] = site.uuid().into_bytes();
    format!("site {last}")
}

impl Witness for Judge {
    fn effect(&mut self, world: &World, step: &Step, late: bool) {
        let mut court = self.court();
        court.effects += 1;
        let tail = if late { ", late" } else { "" };
        court.note(&format!(
            "{}: {step} (generation {}, epoch {}{tail})",
            short(step.site),
            step.generation,
            step.epoch
        ));
        court.look(world);
        court.weigh(world, step, late);
        if late {
            court.disturbed.insert(step.site, Instant::now());
        }
    }
}

impl Court {
    fn note(&mut self, what: &str) {
        let at = self.began.elapsed().as_millis();
        self.log.push(format!(
            "{:>9.3} s  {what}",
            Duration::from_millis(u64::try_from(at).unwrap_or(0)).as_secs_f64()
        ));
    }

    fn fail(&mut self, what: String) {
        self.note(&format!("FAILED: {what}"));
        self.failure.get_or_insert(what);
    }

    /// S1, S5, S12: what has become of the world.
    fn look(&mut self, world: &World) {
        if let Some((site, breach)) = world.breaches().next() {
            let what = format!("{}: {breach}", short(site));
            self.fail(what);
        }
        let sites: BTreeSet<SiteId> = self.wishes.keys().map(|(site, _)| *site).collect();
        for site in sites {
            let wrong = |(part, release): &(Part, &str)| part.is_apart() || !self.proved.contains(*release);
            let found =
                world.routed(site).find(wrong).map(|(part, release)| format!("{part} with {release}"));
            if let Some(found) = found {
                self.fail(format!(
                    "{}: S12: visitors are sent to {found}, which is not for them",
                    short(site)
                ));
            }
        }
        self.follow_serving(world);
        let touched = |(site, decoy): &&(SiteId, Object)| world.object(*site, decoy.part) != Some(decoy);
        if let Some((_, decoy)) = self.decoys.iter().find(touched) {
            let what = format!("S5: {} of an unknown site was touched", decoy.part);
            self.fail(what);
        }
    }

    fn follow_serving(&mut self, world: &World) {
        self.serving.retain(|(site, slot), _| world.serves(*site, *slot));
        for (site, object) in world.objects() {
            if let Part::Wordpress(slot) = object.part
                && world.serves(site, slot)
            {
                self.serving.entry((site, slot)).or_insert_with(Instant::now);
            }
        }
    }

    /// Whether a node began to serve so lately that its server need not know.
    fn has_just_begun(&self, step: &Step) -> bool {
        let Part::Wordpress(slot) = step.part else { return false };
        self.serving.get(&(step.site, slot)).is_some_and(|since| *since + KNOWN > Instant::now())
    }

    /// S3, S4, S6, S9, rules 5 and 6: what this step is about to do.
    fn weigh(&mut self, world: &World, step: &Step, late: bool) {
        let site = step.site;
        let Some(wish) = self.wishes.get(&(site, step.generation)).cloned() else {
            return self.fail(format!("rule 6: {step} of a site or a generation that nobody wanted"));
        };
        if !late && is_refused(world, step) {
            return self.refused(world, step);
        }
        let now = Instant::now();
        let quiet = self.disturbed.get(&site).is_none_or(|at| *at + KNOWN < now);
        // Another server's doing is news like any other.
        if self.acted.insert(site, step.epoch).is_some_and(|before| before != step.epoch) {
            self.disturbed.insert(site, now);
        }
        let newest = self.wishes.range((site, 0)..=(site, u64::MAX)).next_back();
        let Some((_, newest)) = newest else { return };
        // A clock that is ahead ends a grace too early: by no more than that.
        let planned = wish.at(now + self.ahead);
        let informed = !late && quiet && !self.has_just_begun(step) && newest.generation == step.generation;
        let wanted = newest.at(now + self.ahead);
        let case = Case { site, planned: &planned, wanted: &wanted, informed, fenced: !late };
        if let Err(what) = judge(world, step, &case) {
            self.fail(format!("{}: {what}", short(site)));
        }
    }

    /// S9: an older plan is refused where something newer is there, and changes nothing.
    fn refused(&mut self, world: &World, step: &Step) {
        let mut after = world.clone();
        match after.apply(step) {
            Err(error) if error.class == ErrorClass::Conflict && after == *world => self.note("  refused"),
            _ => self.fail(format!("S9: {step} of an older plan was taken")),
        }
    }
}

impl Wish {
    /// Whether the site is deleted and its grace is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.at(now) == Wanted::Gone
    }

    /// What a server whose clock says this wants.
    pub(super) fn at(&self, now: Instant) -> Wanted {
        match self.life {
            super::book::Life::Runs => Wanted::Run(self.run.clone()),
            super::book::Life::Deleted { purge_after } if purge_after <= now => Wanted::Gone,
            super::book::Life::Rests | super::book::Life::Deleted { .. } => Wanted::Rest,
        }
    }
}
