//! A backend that runs nothing: for tests, for benchmarks and for trying the API out.
//!
//! Its nodes behave as `node/README.md` says: database nodes wait for orders and keep positions on their
//! volumes, WordPress nodes wait for a database, gateways follow their routes. [`World`] is all that, as a value.
//! [`Simulated`] makes a [`Backend`] of it, in any [`Weather`]: slow, forgetful, late; the same again for the same
//! seed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep};

use super::{
    Applied, Backend, BackendError, Capabilities, Coverage, Ends, ErrorClass, Object, Observation, Part,
    Report, Scope, Step, hints,
};
use crate::id::SiteId;

mod content;
mod galera;
mod place;
mod reports;
mod runs;
mod thing;
mod weather;
mod world;

use runs::Runs;
use weather::{Fate, Sky};

pub use place::BAD_RELEASE;
pub use weather::Weather;
pub use world::{Law, World};

/// Sees every effect that a step is about to have, whoever asked for it.
pub trait Witness: fmt::Debug + Send {
    /// The world as it is, and the step. `late`: it was accepted long ago, and nothing that came since refuses it.
    fn effect(&mut self, world: &World, step: &Step, late: bool);
}

/// Runs nothing, and says so in [`Capabilities::real`].
#[derive(Debug)]
pub struct Simulated(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    listing_lag: Duration,
    reports: mpsc::UnboundedSender<Report>,
    hints: broadcast::Sender<SiteId>,
}

#[derive(Debug)]
struct State {
    world: World,
    runs: Runs,
    sky: Sky,
    /// What each running node said last.
    said: BTreeMap<(SiteId, Part), Report>,
    /// What comes after something later.
    held_back: Option<Report>,
    /// What complete listings showed, for listings that lag.
    past: VecDeque<(Instant, Observation)>,
    witness: Option<Box<dyn Witness>>,
}

impl Simulated {
    /// An empty world in which nothing goes wrong, and what its nodes will say.
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Report>) {
        Self::in_weather(Weather::calm())
    }

    /// An empty world in this weather, and what its nodes will say.
    #[must_use]
    pub fn in_weather(weather: Weather) -> (Arc<Self>, mpsc::UnboundedReceiver<Report>) {
        Self::of(World::default(), weather, None)
    }

    /// This world in this weather, and what its nodes will say; a witness sees what happens to it.
    #[must_use]
    pub fn of(
        world: World,
        weather: Weather,
        witness: Option<Box<dyn Witness>>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Report>) {
        let (reports, receiver) = mpsc::unbounded_channel();
        let (hints, _) = broadcast::channel(1024);
        let state = State {
            world,
            runs: Runs::default(),
            sky: Sky::new(weather),
            said: BTreeMap::new(),
            held_back: None,
            past: VecDeque::new(),
            witness,
        };
        let inner = Inner { state: Mutex::new(state), listing_lag: weather.listing_lag, reports, hints };
        (Arc::new(Self(Arc::new(inner))), receiver)
    }

    /// From now on this is the weather; what was delayed still comes.
    pub fn turn(&self, weather: Weather) {
        self.0.lock().sky = Sky::new(weather);
    }

    /// What the node of this part said last, if it runs.
    #[must_use]
    pub fn said(&self, site: SiteId, part: Part) -> Option<Report> {
        self.0.lock().said.get(&(site, part)).cloned()
    }

    /// From now on listings tell when things ran, by this clock, and the ends of runs are left here. Without a
    /// clock nothing is metered.
    pub fn keep_time(&self, clock: fn() -> Timestamp, ends: Arc<dyn Ends>) {
        self.0.lock().runs.keep_time(clock, ends);
    }

    /// Five seconds have passed: every node says again what it said last, or how long that has lasted now.
    pub fn heartbeat(&self) {
        let changed = self.0.lock().world.elapse(5);
        for site in changed {
            self.0.tell(site);
        }
        let mut state = self.0.lock();
        let said: Vec<_> = state.said.values().cloned().collect();
        for report in said {
            self.0.say(&mut state, report);
        }
    }

    /// A node dies, as by SIGKILL. Returns whether it ran.
    #[expect(clippy::must_use_candidate, reason = "it is done for its effect")]
    pub fn kill(&self, site: SiteId, part: Part) -> bool {
        self.outside(site, |world| world.kill(site, part))
    }

    /// An object is removed by somebody else. Returns whether it was there.
    #[expect(clippy::must_use_candidate, reason = "it is done for its effect")]
    pub fn vanish(&self, site: SiteId, part: Part) -> bool {
        self.outside(site, |world| world.vanish(site, part))
    }

    /// Something happens to a site that the control plane did not do.
    pub fn outside<T>(&self, site: SiteId, happens: impl FnOnce(&mut World) -> T) -> T {
        let happened = happens(&mut self.0.lock().world);
        self.0.settle(site);
        happened
    }

    /// Everything that is there, in order.
    #[must_use]
    pub fn objects(&self) -> Vec<(SiteId, Object)> {
        self.0.lock().world.objects().map(|(site, object)| (site, object.clone())).collect()
    }

    /// A copy of the world as it is.
    #[must_use]
    pub fn world(&self) -> World {
        self.0.lock().world.clone()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets everything of a site go on by itself: at once, or stage by stage.
    fn settle(self: &Arc<Self>, site: SiteId) {
        self.tell(site);
        if self.lock().sky.weather.latency.is_zero() {
            while self.stage(site) {}
            return;
        }
        let inner = self.clone();
        tokio::spawn(async move {
            inner.wait().await;
            while inner.stage(site) {
                inner.wait().await;
            }
        });
    }

    fn stage(&self, site: SiteId) -> bool {
        let changed = self.lock().world.progress(site);
        if changed {
            self.tell(site);
        }
        changed
    }

    /// A call takes its time.
    async fn wait(&self) {
        let latency = {
            let sky = &mut self.lock().sky;
            sky.up_to(sky.weather.latency)
        };
        // Without latency there may be no clock either.
        if !latency.is_zero() {
            sleep(latency).await;
        }
    }

    /// Leaves the ends of what has ended where it was told to.
    async fn tell_ends(&self) {
        let Some(ends) = self.lock().runs.ends() else { return };
        let ended = self.lock().runs.take_ended();
        for (site, run) in ended {
            if let Err(error) = ends.ended(site, run.clone()).await {
                tracing::warn!(%error, "the end of a run can't be kept; trying again with the next step");
                self.lock().runs.untold(site, run);
            }
        }
    }

    /// The site's nodes say what they did not say before, and whoever listens is told to look.
    fn tell(&self, site: SiteId) {
        let mut state = self.lock();
        state.follow(site);
        let new = state.world.reports(site);
        state.said.retain(|(at, part), _| *at != site || new.iter().any(|report| report.part == *part));
        for report in new {
            if state.said.get(&(site, report.part)) != Some(&report) {
                state.said.insert((site, report.part), report.clone());
                self.say(&mut state, report);
            }
        }
        state.remember(self.listing_lag);
        let Weather { unheard, .. } = state.sky.weather;
        if !state.sky.happens(unheard) {
            // Nobody listens: then nobody needs the hint.
            let _nobody = self.hints.send(site);
        }
    }

    fn say(&self, state: &mut State, report: Report) {
        let Weather { unheard, reordered, .. } = state.sky.weather;
        if state.sky.happens(unheard) {
            return;
        }
        if state.held_back.is_none() && state.sky.happens(reordered) {
            state.held_back = Some(report);
            return;
        }
        for report in [Some(report), state.held_back.take()].into_iter().flatten() {
            // The receiver is gone when the simulation's owner is.
            let _gone = self.reports.send(report);
        }
    }

    /// Takes a step later, whatever has happened since.
    fn later(self: &Arc<Self>, step: &Step) {
        let (inner, step) = (self.clone(), step.clone());
        let lateness = {
            let sky = &mut self.lock().sky;
            sky.up_to(sky.weather.lateness)
        };
        tokio::spawn(async move {
            sleep(lateness).await;
            // Nobody waits for this answer any more.
            let _unheard = inner.lock().effect(&step, World::apply_late, true);
            inner.settle(step.site);
        });
    }

    fn take(self: &Arc<Self>, step: &Step, fate: Fate) -> Result<Applied, BackendError> {
        let failed = |what| Err(BackendError::new(ErrorClass::Transient, format!("{}: {what}", step.part)));
        let result = match fate {
            Fate::Fine | Fate::Hung => self.lock().effect(step, World::apply, false),
            Fate::Doubled => {
                self.later(step);
                self.lock().effect(step, World::apply, false)
            }
            Fate::Lost => failed("the request was lost"),
            Fate::Unanswered => {
                let done = self.lock().effect(step, World::apply, false);
                done.and_then(|_| failed("the answer was lost"))
            }
            Fate::Delayed => {
                self.later(step);
                failed("no answer in time")
            }
            Fate::HalfMade => {
                let done = self.lock().effect(step, World::apply_half, false);
                done.and_then(|()| failed("crashed half way"))
            }
            Fate::Throttled => {
                let retry_after = Some(Duration::from_secs(2));
                Err(BackendError::new(ErrorClass::Throttled { retry_after }, "too many calls"))
            }
        };
        self.settle(step.site);
        result
    }
}

impl State {
    /// Notes when what runs now began, and when what no longer runs ended.
    fn follow(&mut self, site: SiteId) {
        let Self { world, runs, .. } = self;
        runs.follow(site, world.objects_of(site));
    }

    fn listed(&self) -> Observation {
        Observation { runs: self.runs.all(), ..self.world.list(&Scope::Fleet) }
    }

    /// A step takes effect, which the witness sees first.
    fn effect<T>(&mut self, step: &Step, take: fn(&mut World, &Step) -> T, late: bool) -> T {
        if let Some(witness) = &mut self.witness {
            witness.effect(&self.world, step, late);
        }
        take(&mut self.world, step)
    }

    /// Keeps what a listing shows now for those that lag.
    fn remember(&mut self, lag: Duration) {
        if lag.is_zero() {
            return;
        }
        let now = Instant::now();
        let seen = self.listed();
        self.past.push_back((now, seen));
        // One that is older than the lag is still what a listing may show, if nothing came after it.
        while self.past.get(1).is_some_and(|(at, _)| *at + lag < now) {
            self.past.pop_front();
        }
    }

    /// A listing, as the weather lets it be seen.
    fn list(&mut self, scope: &Scope) -> Observation {
        let age = self.sky.up_to(self.sky.weather.listing_lag);
        let old = self.past.iter().rev().find(|(at, _)| *at + age <= Instant::now());
        let mut seen = match old {
            Some((_, seen)) if !age.is_zero() => seen.clone(),
            _ => self.listed(),
        };
        let inside = |site| matches!(scope, Scope::Fleet) || *scope == Scope::Site(site);
        seen.objects.retain(|(site, _)| inside(*site));
        seen.runs.retain(|(site, _)| inside(*site));
        if self.sky.happens(self.sky.weather.partial) {
            seen.coverage = Coverage::Partial;
            seen.objects.retain(|_| !self.sky.happens(300));
        } else if self.sky.happens(self.sky.weather.lacking) {
            let half = seen.objects.len().saturating_sub(1) / 2;
            seen.objects.retain(|_| self.sky.happens(200));
            seen.objects.truncate(half);
        }
        seen
    }
}

#[async_trait]
impl Backend for Simulated {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "simulated",
            real: false,
            concurrency: 64,
            resync: Duration::from_secs(10),
            listing_lag: self.0.listing_lag,
            patience: None,
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.0.wait().await;
        let mut state = self.0.lock();
        let unseen = state.sky.weather.unseen;
        if state.sky.happens(unseen) {
            return Err(BackendError::new(ErrorClass::Transient, "the listing failed"));
        }
        Ok(state.list(scope))
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.0.wait().await;
        let fate = self.0.lock().sky.fate();
        if fate == Fate::Hung {
            return std::future::pending().await;
        }
        let result = self.0.take(step, fate);
        self.0.tell_ends().await;
        self.0.wait().await;
        result
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        hints(self.0.hints.subscribe())
    }
}
