//! A fresh deployment of the same, to compare with.

use std::time::Duration;

use tokio::time::Instant;

use crate::converge::simulated::World;
use crate::converge::{Intent, RunIntent, Scope, View, Wanted, plan};
use crate::id::SiteId;

/// L4: what nodes are made of and were told is what a fresh deployment of this, at the same address, would have; or what
/// differs.
pub(super) fn says_the_same_as_fresh(world: &World, site: SiteId, run: &RunIntent) -> Result<(), String> {
    let (is, fresh) = (world.content(site), deployed(world.anew(site), site, run)?.content(site));
    let only = |here: &[String], there: &[String]| {
        let only: Vec<&str> = here.iter().filter(|line| !there.contains(line)).map(String::as_str).collect();
        only.join("\n  ")
    };
    if is == fresh {
        return Ok(());
    }
    let (missing, wrong) = (only(&fresh, &is), only(&is, &fresh));
    Err(format!("L4: a fresh deployment says:\n  {missing}\nand this one:\n  {wrong}"))
}

/// What the planner of production makes of a world in which nothing goes wrong.
fn deployed(mut world: World, site: SiteId, run: &RunIntent) -> Result<World, String> {
    let (generation, version, epoch) = (u64::MAX, u64::MAX, u64::MAX);
    let intent = Intent { site, generation, version, epoch, wanted: Wanted::Run(run.clone()) };
    let mut now = Instant::now();
    for _ in 0..super::Trial::PASSES {
        now += Duration::from_millis(1);
        let mut view = View::default();
        view.listed(&Scope::Fleet, now, world.list(&Scope::Fleet));
        for report in world.reports(site) {
            view.reported(report, now);
        }
        let plan = plan(&intent, &view.facts(site, now));
        if plan.is_empty() {
            return Ok(world);
        }
        for step in &plan.steps {
            world.apply(step).map_err(|error| format!("a fresh deployment: {error}"))?;
        }
        while world.progress(site) {}
    }
    Err("L1: a fresh deployment does not converge".into())
}
