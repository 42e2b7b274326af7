//! One look at one site: plan, check the plan, take its steps, keep what was found.

use std::sync::Arc;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::keeping::News;
use super::{Converger, Event, Instant, IntentsError, SiteId, SitePlan, timestamp};
use crate::converge::{
    Act, Coverage, Facts, Intent, Trouble, Verdict, Violation, Wanted, acts, floor, keep_what_is_there,
    keep_what_runs, lint, verdict,
};
use crate::site::Generation;

/// A site that was looked at. Looking changes nothing, so that many sites are looked at on all cores.
struct Look {
    /// What the look went by.
    intent: Arc<Intent>,
    /// Whether the store is behind what runs: what runs was made for the intent's generation, which the store has lost.
    behind: bool,
    found: Found,
}

enum Found {
    /// The store seems to be older than what runs, by this generation; it is read again before that is believed.
    MaybeBehind(Generation),
    /// Nobody wants it, and nothing is left of it.
    Gone,
    /// There is nothing to do, and this to be said.
    Quiet(Result<News, Instant>),
    /// There is something to do, or to wait for.
    Busy(Box<Busy>),
}

struct Busy {
    plan: SitePlan,
    verdict: Option<Verdict>,
    /// The rule that the plan breaks.
    broken: Option<Violation>,
    /// Steps that are under way.
    under_way: usize,
    /// What the plan's steps are, where that is to be told.
    acts: Vec<Act>,
}

impl Converger {
    /// So many sites are worth more than one core.
    const WORTH_CORES: usize = 32;

    /// Looks at these sites, and does what is to be done.
    pub(super) fn pass(&mut self, due: &[SiteId], now: Instant) {
        let intents: Vec<_> = due.iter().filter_map(|site| self.tended(*site, now)).collect();
        let look = |intent| self.look(intent, now);
        let looks: Vec<_> = if intents.len() < Self::WORTH_CORES {
            intents.into_iter().map(look).collect()
        } else {
            intents.into_par_iter().with_min_len(Self::WORTH_CORES / 2).map(look).collect()
        };
        for look in looks {
            self.follow(look, now);
        }
    }

    /// What is wanted of the site in this server's epoch; `None` where nobody knows, or another server tends it.
    fn tended(&mut self, site: SiteId, now: Instant) -> Option<Arc<Intent>> {
        let known = self.wanted.get_mut(&site)?;
        let epoch = self.tenure.epoch(site, now)?;
        if known.intent.epoch != epoch {
            Arc::make_mut(&mut known.intent).epoch = epoch;
        }
        Some(known.intent.clone())
    }

    fn look(&self, mut intent: Arc<Intent>, now: Instant) -> Look {
        let facts = self.view.facts(intent.site, now);
        let newest = floor(&intent, &facts);
        let behind = newest.is_some();
        if let Some(floor) = newest {
            // What is known of what is wanted may be old itself.
            if self.doubted.get(&intent.site) != Some(&floor) {
                return Look { intent, behind, found: Found::MaybeBehind(floor) };
            }
            Arc::make_mut(&mut intent).generation = floor;
        }
        let plan = (self.planner)(&intent, &facts);
        let plan = if behind { keep_what_runs(plan) } else { plan };
        let plan = if self.view.doubts() { keep_what_is_there(plan) } else { plan };
        let is_idle = plan.steps.is_empty() && facts.busy.is_empty();
        let found = if let Some(until) = self.too_early(&intent, now).filter(|_| is_idle) {
            Found::Quiet(Err(until))
        } else if !is_idle || !plan.holds.is_empty() {
            let broken = self.linted.then(|| lint(&intent, &facts, &plan).err()).flatten();
            let (verdict, acts) = (verdict(&intent, &facts), acts(&intent, &facts, &plan));
            Found::Busy(Box::new(Busy { plan, verdict, broken, under_way: facts.busy.len(), acts }))
        } else if self.is_gone(&intent, &facts) {
            Found::Gone
        } else {
            Found::Quiet(Ok(News::of(&intent, &facts, &plan, &self.trouble(&intent, behind))))
        };
        Look { intent, behind, found }
    }

    fn follow(&mut self, look: Look, now: Instant) {
        let Look { intent, behind, found } = look;
        let site = intent.site;
        if !behind {
            self.doubted.remove(&site);
        }
        match found {
            Found::MaybeBehind(floor) => {
                self.doubted.insert(site, floor);
                self.load(site);
            }
            Found::Gone => self.gone(site),
            Found::Quiet(news) => {
                self.errors.remove(&site);
                self.retries.succeeded(site);
                self.say(site, news);
            }
            Found::Busy(busy) => self.busy(&intent, behind, *busy, now),
        }
    }

    /// Nothing is left to be done but to say so, once all that it ran is kept.
    fn gone(&mut self, site: SiteId) {
        if self.is_metered(site) {
            let intents = self.intents.clone();
            self.tasks.spawn(async move { Event::Purged(site, intents.purged(site).await) });
        }
    }

    /// Takes steps, or waits.
    fn busy(&mut self, intent: &Intent, behind: bool, mut busy: Busy, now: Instant) {
        let site = intent.site;
        if busy.plan.steps.is_empty() && busy.under_way == 0 {
            self.errors.remove(&site);
            self.retries.succeeded(site);
        }
        if let Some(verdict) = busy.verdict.take() {
            self.judge(site, verdict);
        }
        let next_try = self.take(intent, &mut busy, now);
        // What a step left is seen when it ends; what a hold waits for may come without a hint.
        if !busy.plan.holds.is_empty() {
            self.queue.add_at(site, now + self.backend.capabilities().resync);
        }
        let trouble = Trouble {
            last_error: self.errors.get(&site).cloned(),
            next_try: next_try.map(|at| timestamp(at, now)),
            ..self.trouble(intent, behind)
        };
        let news = || News::of(intent, &self.view.facts(site, now), &busy.plan, &trouble);
        let news = self.too_early(intent, now).map_or_else(|| Ok(news()), Err);
        self.say(site, news);
    }

    /// Whether nothing is left of a site that nobody wants, as far as anybody can know.
    fn is_gone(&self, intent: &Intent, facts: &Facts) -> bool {
        let nothing = facts.objects.is_empty() && facts.coverage == Coverage::Complete;
        intent.wanted == Wanted::Gone && nothing && self.sight.unseen.is_none() && !self.view.doubts()
    }

    /// Takes the plan's steps, or says when they may be taken.
    fn take(&mut self, intent: &Intent, busy: &mut Busy, now: Instant) -> Option<Instant> {
        let Busy { plan, verdict: _, broken, under_way, acts } = busy;
        if plan.steps.is_empty() || self.sight.unseen.is_some() {
            return None;
        }
        if let Some(violation) = broken {
            tracing::error!(site = %intent.site, %violation, %plan, "a plan breaks a rule; nothing of it is done");
            self.errors.insert(intent.site, format!("a defect of wpaas: {violation}"));
            return None;
        }
        let at = self.retries.when(intent.site, intent.generation, now);
        let at = self.paused(now).map_or(at, |until| until.max(at));
        if at > now {
            self.queue.add_at(intent.site, at);
            return Some(at);
        }
        tracing::info!(%plan, "plan");
        let room = self.share().saturating_sub(*under_way);
        let begun = &plan.steps[..room.min(plan.steps.len())];
        self.tell(intent, begun, std::mem::take(acts), now);
        for step in begun.iter().cloned() {
            self.begin(step, now);
        }
        None
    }

    /// Steps that one site may have under way: a site that hangs leaves the others half of the backend. What is not
    /// begun is planned again when a step ends.
    fn share(&self) -> usize {
        (self.backend.capabilities().concurrency / 2).max(1)
    }

    /// Keeps what was found of the release that is tried.
    fn judge(&mut self, site: SiteId, verdict: Verdict) {
        if !self.judging.insert(site) {
            return;
        }
        tracing::info!(%site, release = %verdict.release, proved = verdict.found.is_ok(), "a release was tried");
        let intents = self.intents.clone();
        self.tasks.spawn(async move { Event::Judged(site, intents.judged(site, &verdict).await) });
    }

    pub(super) fn judged(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        self.judging.remove(&site);
        match result {
            Ok(()) => self.load(site),
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "what was found of a release can't be kept; trying again");
                self.queue.add_at(site, now + Self::SWEEP);
            }
        }
    }

    pub(super) fn purged(&mut self, site: SiteId, result: Result<(), IntentsError>, now: Instant) {
        match result {
            Ok(()) => {
                self.forget(site);
                self.view.forget(site);
            }
            Err(error) => {
                tracing::warn!(%site, error = super::wanted::chain(&error), "a site's end can't be kept; trying again");
                self.queue.add_at(site, now + Self::SWEEP);
            }
        }
    }
}
