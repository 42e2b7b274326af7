//! What must be in the end, once nothing goes wrong any more.

use std::time::Duration;

use tokio::time::Instant;

use super::book::{HOUR, Life, Wish};
use super::judge::short;
use super::people::calm_weather;
use super::scene::Scene;
use crate::converge::simulated::BAD_RELEASE;
use crate::converge::trial::{Change, Outside, is_as_fresh, is_at_rest, operator};
use crate::converge::{Candidate, ReleaseRef, SitePlan};
use crate::id::SiteId;

/// Far more than any way back needs: a back-off is a minute at most.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// How often the end is looked for.
const LOOK: Duration = Duration::from_secs(5);
/// Several resyncs, sweeps and silences.
const QUIET: Duration = Duration::from_secs(90);

impl Scene {
    pub(super) async fn end(&mut self) -> Result<(), String> {
        self.mend().await?;
        self.converges().await?;
        // A status that could not be kept is kept with the next sweep.
        self.pass(Duration::from_secs(60)).await?;
        self.is_what_is_wanted()?;
        self.stays_so("L1: there was nothing to do, and then something was done").await?;
        self.kill_oldest();
        self.start();
        self.stays_so("L6: a restart did something").await?;
        self.deletes_everything().await
    }

    /// Nothing goes wrong any more; what was delayed takes effect.
    async fn mend(&mut self) -> Result<(), String> {
        self.judge.note("nothing goes wrong any more");
        let lateness = self.storm.weather.lateness + self.storm.weather.latency;
        self.backend.turn(calm_weather());
        while self.servers.len() > 1 {
            self.kill_oldest();
        }
        self.servers[0].desk.mend();
        for (site, wish) in self.book.wanted() {
            self.split(site, false);
            self.settle_on_a_release(site, wish);
        }
        self.pass(lateness.max(self.grace_left())).await
    }

    /// How long the graces last that were to end in the storm; those of hours do not.
    fn grace_left(&self) -> Duration {
        let now = Instant::now();
        let left = self.book.wanted().into_values().filter_map(|wish| match wish.life {
            Life::Deleted { purge_after } => Some(purge_after.saturating_duration_since(now)),
            Life::Runs | Life::Rests => None,
        });
        left.filter(|left| *left < HOUR).max().unwrap_or_default()
    }

    /// L5: whoever wanted a release that can't be had, or none yet, wants another.
    fn settle_on_a_release(&mut self, site: SiteId, mut wish: Wish) {
        let bad = |candidate: &Candidate| matches!(candidate.release, ReleaseRef::Stored { digest, .. } if digest.prefix()[0] == BAD_RELEASE);
        if wish.run.release.is_none() || wish.run.candidate.as_deref().is_some_and(bad) {
            wish.generation += 1;
            wish.version += 1;
            Change::Release(None).to(&mut wish.run, wish.generation);
            self.book.want(site, wish);
        }
    }

    /// L1. An operator does what holds ask for.
    async fn converges(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.pass(LOOK).await?;
            let mut waiting = Vec::new();
            for site in self.book.wanted().into_keys() {
                match self.servers[0].handle.explain(site).await {
                    Some(plan) if plan.is_empty() => {}
                    Some(plan) => waiting.push((site, plan)),
                    None => return Err(format!("L1: the server does not know {}", short(site))),
                }
            }
            let left = self.left_over();
            if waiting.is_empty() && left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let plan = waiting.first().map_or_else(String::new, |(_, plan)| plan.to_string());
                return Err(match left.as_slice() {
                    [] => format!("L1: not converged in {PATIENCE:?}: {plan}"),
                    left => format!("L3: gone for {PATIENCE:?}, and there is left: {}", left.join(", ")),
                });
            }
            for (site, plan) in waiting {
                self.operate(site, &plan);
            }
        }
    }

    /// L3: what is left of sites whose grace was over before it calmed down: parts, or the record that they are to go.
    fn left_over(&self) -> Vec<String> {
        let (wanted, now) = (self.book.wanted(), Instant::now());
        let goes = |site: &&SiteId| wanted.get(*site).is_none_or(|wish| wish.is_over(now));
        let left = self.sites.iter().filter(goes).flat_map(|site| {
            let record = wanted.contains_key(site).then(|| "its record".to_owned());
            let parts = self.parts(*site).into_iter().map(|part| part.to_string());
            parts.chain(record).map(|what| format!("{what} of {}", short(*site)))
        });
        left.collect()
    }

    fn operate(&mut self, site: SiteId, plan: &SitePlan) {
        if let Some(volume) = operator(plan).filter(|_| plan.steps.is_empty()) {
            self.judge.note("an operator:");
            self.outside(site, volume, Outside::Vanish);
        }
    }

    /// L2, L4: what is there is what a fresh deployment of the last spec has, and the status says so.
    fn is_what_is_wanted(&self) -> Result<(), String> {
        for (site, wish) in self.book.wanted() {
            if wish.life != Life::Runs {
                is_at_rest(&self.world(), site)?;
                continue;
            }
            is_as_fresh(&self.world(), site, &wish.run)?;
            let ready = self.book.found(site).is_some_and(|status| status.is_ready());
            if !ready && wish.run.wordpress > 0 {
                return Err(format!("L1: {} has converged, and its status does not say so", short(site)));
            }
        }
        Ok(())
    }

    async fn stays_so(&self, otherwise: &str) -> Result<(), String> {
        let (effects, world) = (self.judge.effects(), self.world());
        self.pass(QUIET).await?;
        if self.judge.effects() == effects && self.world() == world {
            return Ok(());
        }
        Err(otherwise.to_owned())
    }

    /// L3: when the grace is over, nothing of a deleted site is left.
    async fn deletes_everything(&self) -> Result<(), String> {
        for (site, mut wish) in self.book.wanted() {
            wish.generation += 1;
            wish.version += 1;
            wish.life = Life::Deleted { purge_after: Instant::now() + HOUR };
            self.book.want(site, wish);
        }
        // The grace of those that were deleted before is longer.
        self.pass(2 * HOUR + PATIENCE).await?;
        let left: Vec<_> = self.sites.iter().flat_map(|site| self.parts(*site)).collect();
        if !self.book.wanted().is_empty() || !left.is_empty() {
            return Err(format!("L3: deleted, and there is left {left:?}"));
        }
        Ok(())
    }
}
