//! What must be in the end, once nothing goes wrong any more.

use std::collections::BTreeSet;

use super::fresh::says_the_same_as_fresh;
use super::{Failure, Op, Trial};
use crate::converge::simulated::World;
use crate::converge::trial::{Change, Fate};
use crate::converge::{Hold, Part, RunIntent, SitePlan, Wanted};
use crate::id::SiteId;

/// What an operator removes, if a hold of this plan asks for it: data that can't be used.
pub(crate) fn operator(plan: &SitePlan) -> Option<Part> {
    let asks = |hold: &&Hold| hold.reason.asks_a_person().is_some();
    plan.holds.iter().find(asks).map(|hold| match hold.part {
        Part::Database(n) => Part::DatabaseVolume(n),
        part => part,
    })
}

fn own(world: &World, site: SiteId) -> impl Iterator<Item = Part> {
    world.objects().filter(move |(of, _)| *of == site).map(|(_, object)| object.part)
}

/// How many database nodes are Synced, and how many WordPress nodes serve.
pub(crate) fn in_service(world: &World, site: SiteId) -> (usize, usize) {
    let synced = (0..3).filter(|n| world.is_synced(site, *n)).count();
    let serving = (0..Part::APART_SLOTS).filter(|slot| world.serves(site, *slot)).count();
    (synced, serving)
}

/// L1, L2, L4, L5: what is there, and serves, is what a fresh deployment of this has, and is told the same. The slots for
/// visitors are only counted: they have no identity.
///
/// # Errors
///
/// What is missing or too much.
pub fn is_as_fresh(world: &World, site: SiteId, run: &RunIntent) -> Result<(), String> {
    let (databases, serving) = in_service(world, site);
    if databases != usize::from(run.database.nodes()) || serving != usize::from(run.wordpress) {
        return Err(format!("L1: {databases} database and {serving} WordPress nodes serve"));
    }
    let mut fresh = BTreeSet::from([Part::Network, Part::UploadsVolume, Part::Gateway(0)]);
    fresh.extend((0..run.database.nodes()).flat_map(|n| [Part::DatabaseVolume(n), Part::Database(n)]));
    fresh.extend(run.release.and_then(|release| release.part()));
    if run.wordpress > 0 {
        if run.candidate.is_some() {
            return Err("L5: a release is tried and never judged".into());
        }
        fresh.extend(run.previews.iter().filter_map(|preview| preview.release.part()));
        let apart: Vec<_> = own(world, site).filter(|part| part.is_apart()).collect();
        if apart.len() != run.previews.len() {
            return Err(format!("L4: {apart:?} run apart"));
        }
        fresh.extend(apart);
    }
    let (slots, rest): (Vec<_>, Vec<_>) = own(world, site).partition(|part| part.serves_visitors());
    if slots.len() != usize::from(run.wordpress) || rest.iter().copied().collect::<BTreeSet<_>>() != fresh {
        return Err(format!(
            "L4: not what a fresh deployment has: {} WordPress nodes and {rest:?}",
            slots.len()
        ));
    }
    says_the_same_as_fresh(world, site, run)
}

/// L2: of a site that rests nothing runs; what it keeps is its network, its storage and its releases.
///
/// # Errors
///
/// What runs all the same.
pub fn is_at_rest(world: &World, site: SiteId) -> Result<(), String> {
    let runs: Vec<_> = own(world, site).filter(|part| part.is_node()).collect();
    if runs.is_empty() { Ok(()) } else { Err(format!("L2: the site rests, and there is {runs:?}")) }
}

/// L1 to L5: the site is what a fresh one would be of which this is wanted.
///
/// # Errors
///
/// What is missing or too much.
pub fn is_as_wanted(world: &World, site: SiteId, wanted: &Wanted) -> Result<(), String> {
    match wanted {
        Wanted::Run(run) => is_as_fresh(world, site, run),
        Wanted::Rest => is_at_rest(world, site),
        Wanted::Gone => {
            let left: Vec<_> = own(world, site).collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("L3: of a site that is gone there is left {left:?}"))
            }
        }
    }
}

impl Trial {
    /// Passes until there is nothing to do; then three without an effect (L1, L6). Returns how many there were before
    /// there was nothing to do.
    ///
    /// # Errors
    ///
    /// What must not be on the way, or the plan that it got stuck with.
    pub fn converge(&mut self) -> Result<usize, Failure> {
        for server in 0..self.servers.len() {
            self.take(Op::Learn(server))?;
        }
        let mut last = self.pass()?;
        for passes in 0..Self::PASSES {
            if last.is_empty() {
                for _ in 0..3 {
                    let again = self.pass()?;
                    if !again.is_empty() {
                        return Err(self.fail(format!("L1: there was nothing to do, and then:\n{again}")));
                    }
                }
                return Ok(passes);
            }
            if last.steps.is_empty() {
                self.operate(&last);
                self.wait();
            }
            last = self.pass()?;
        }
        Err(self.fail(format!("L1: not converged after {} passes:\n{last}", Self::PASSES)))
    }

    fn operate(&mut self, plan: &SitePlan) {
        if let Some(volume) = operator(plan) {
            self.log.push(format!("an operator removes {volume}"));
            self.disturbed += 1;
            self.world.vanish(self.intent.site, volume);
        }
    }

    /// More than any way needs: a Galera cluster of three that has to be founded, join by join, is the longest.
    pub(super) const PASSES: usize = 20;

    /// Everything that was delayed takes effect; then the site converges (L1), is what a fresh one would be (L2,
    /// L4), does nothing after a restart (L6), and once it is gone nothing is left (L3).
    ///
    /// # Errors
    ///
    /// What must not be, or what is missing.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.log.push("nothing goes wrong any more".into());
        let site = self.intent.site;
        self.world.split(site, false);
        self.world.leave(site);
        while !self.late.is_empty() {
            self.take(Op::Late(0))?;
        }
        for server in 0..self.servers.len() {
            while !self.servers[server].begun.is_empty() {
                self.take(Op::Land(server, 0, Fate::Fine))?;
            }
            self.servers[server].look = None;
        }
        while self.world.progress(site) {
            self.check()?;
        }
        if matches!(&self.intent.wanted, Wanted::Run(run) if run.release.is_none()) {
            self.take(Op::User(Change::Release(None)))?;
        }
        self.converge()?;
        is_as_wanted(&self.world, site, &self.intent.wanted).map_err(|what| self.fail(what))?;
        self.restart_does_nothing()?;
        self.take(Op::User(Change::Gone))?;
        self.converge()?;
        is_as_wanted(&self.world, site, &Wanted::Gone).map_err(|what| self.fail(what))
    }

    /// One pass of the newest server: looks, plans, takes every step; what runs goes on by itself.
    fn pass(&mut self) -> Result<SitePlan, Failure> {
        let server = self.servers.len() - 1;
        self.take(Op::Look(server))?;
        let now = self.now;
        let plan = self.servers[server].intent.as_ref().map(|intent| {
            let facts = self.servers[server].view.facts(intent.site, now);
            (self.planner)(intent, &facts)
        });
        let Some(plan) = plan else { return Err(self.fail("a server that knows nothing")) };
        self.take(Op::Plan(server))?;
        while !self.servers[server].begun.is_empty() {
            self.take(Op::Land(server, 0, Fate::Fine))?;
        }
        while self.world.progress(self.intent.site) {
            self.check()?;
        }
        self.take(Op::Look(server))?;
        self.take(Op::Judge(server))?;
        self.take(Op::Learn(server))?;
        Ok(plan)
    }

    fn restart_does_nothing(&mut self) -> Result<(), Failure> {
        let before = self.world.clone();
        for server in 0..self.servers.len() {
            self.take(Op::Restart(server))?;
        }
        let plan = self.pass()?;
        if plan.is_empty() && self.world == before {
            return Ok(());
        }
        Err(self.fail(format!("L6: a restart did something:\n{plan}")))
    }
}
