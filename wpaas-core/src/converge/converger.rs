//! The loop: learns what is wanted, looks at what is there, plans, takes steps, keeps what it found.
//!
//! One task owns all state; everything that takes time runs beside it and comes back as an [`Event`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{
    Applied, Backend, BackendError, DnsState, ErrorClass, Facts, Intent, Intents, IntentsError, Observation,
    Retries, Scope, SitePlan, Step, View, WorkQueue, plan,
};
use crate::claim::Tenure;
use crate::id::{SiteId, SiteMap, SiteSet};
use crate::metering::Look;
use crate::site::{Generation, SiteStatus};

mod handle;
mod keeping;
mod metering;
mod pass;
mod pause;
mod sight;
mod steps;
mod telling;
mod turns;
mod wanted;

use handle::Command;
pub use handle::ConvergerHandle;
pub(crate) use wanted::chain;

/// Makes what runs match what is wanted, for as long as it runs.
#[derive(Debug)]
pub struct Converger {
    backend: Arc<dyn Backend>,
    intents: Arc<dyn Intents>,
    commands: mpsc::UnboundedReceiver<Command>,
    tasks: JoinSet<Event>,
    turns: turns::Turns,
    view: View,
    queue: WorkQueue,
    retries: Retries,
    wanted: SiteMap<wanted::Known>,
    keeping: keeping::Keeping,
    errors: SiteMap<String>,
    /// Sites whose store seemed to be behind these generations of what runs.
    doubted: SiteMap<Generation>,
    /// Sites whose verdict on a release is being kept.
    judging: SiteSet,
    metering: metering::Metering,
    /// What was told of sites that were up before.
    told: SiteMap<telling::Told>,
    /// What the DNS server does for each.
    dns: SiteMap<DnsState>,
    loads: Loads,
    sight: Sight,
    /// Until when the backend asked to be left alone.
    paused: Option<Instant>,
    /// Which sites this server tends.
    tenure: Tenure,
    planner: fn(&Intent, &Facts) -> SitePlan,
    /// Whether plans that break a rule are refused.
    linted: bool,
}

/// Which intents are being loaded.
#[derive(Debug, Default)]
struct Loads {
    running: SiteSet,
    again: SiteSet,
    /// Sites of which an older generation was read than before; it is believed when it is read once more.
    older: SiteSet,
    sweeping: bool,
    next_sweep: Option<Instant>,
    /// How many sites this sweep has met.
    met: usize,
    /// The sites that are wanted and that this sweep has not met yet, where the one before met too few.
    unmet: Option<SiteSet>,
    /// Sites with objects that were not known of when those were seen, in the midst of a sweep.
    unknown: SiteSet,
}

/// What is being looked at.
#[derive(Debug, Default)]
struct Sight {
    fleet: bool,
    sites: SiteSet,
    pending: BTreeSet<SiteId>,
    next_fleet: Option<Instant>,
    last_silence_check: Option<Instant>,
    /// When the nodes that ran before anybody listened have had the time to report; `None` while no site waits for that.
    heard_out: Option<Instant>,
    /// Whether the first look has ended, well or not.
    looked: bool,
    /// Why the backend can't be seen, if it can't; at first because nobody has looked yet.
    unseen: Option<String>,
}

impl Sight {
    /// A backend that can't be seen is looked for this often.
    const SEARCH: Duration = Duration::from_secs(2);
    /// One that will not be seen until somebody changes something, this often.
    const RARELY: Duration = Duration::from_secs(30);
}

/// Everything that wakes the loop.
#[derive(Debug)]
enum Event {
    Stop,
    Command(Command),
    Changed(SiteId),
    ChangesLost,
    /// What this server tends has changed.
    Turned,
    Wanted(SiteId),
    Loaded(SiteId, Result<Option<Box<Intent>>, IntentsError>),
    Swept(Option<SiteId>, Result<Vec<Intent>, IntentsError>),
    Seen(Scope, Instant, Result<Observation, BackendError>),
    Stepped(turns::Rank, Step, Result<Applied, BackendError>),
    Recorded(Vec<(SiteId, Result<(), IntentsError>)>),
    Judged(SiteId, Result<(), IntentsError>),
    Purged(SiteId, Result<(), IntentsError>),
    Told(SiteId, Result<(), IntentsError>),
    Metered(Vec<Look>, Result<(), IntentsError>),
    Panicked,
    Due,
}

impl Converger {
    /// All intents are read again this often, should a hint be lost or a grace period end.
    const SWEEP: Duration = Duration::from_secs(30);
    /// Passes at a time.
    const PASSES: usize = 256;
    /// Intents read at a time.
    const PAGE: usize = 1000;

    /// A converger that has not begun, and what talks to it.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, intents: Arc<dyn Intents>) -> (Self, ConvergerHandle) {
        let (sender, commands) = mpsc::unbounded_channel();
        let capabilities = backend.capabilities();
        let view = View::lagging(capabilities.listing_lag).patient(capabilities.patience);
        let turns = turns::Turns::new(capabilities.concurrency);
        let sight = Sight { unseen: Some("nobody has looked yet".into()), ..Sight::default() };
        let converger = Self {
            backend,
            intents,
            commands,
            tasks: JoinSet::new(),
            turns,
            view,
            queue: WorkQueue::default(),
            retries: Retries::default(),
            wanted: SiteMap::default(),
            keeping: keeping::Keeping::default(),
            errors: SiteMap::default(),
            doubted: SiteMap::default(),
            judging: SiteSet::default(),
            metering: metering::Metering::default(),
            told: SiteMap::default(),
            dns: SiteMap::default(),
            loads: Loads::default(),
            sight,
            paused: None,
            tenure: Tenure::everything(),
            planner: plan,
            linted: true,
        };
        (converger, ConvergerHandle::to(sender))
    }

    /// Tends those sites only that are this server's. It knows of the others too, so that it can take over at once.
    #[must_use]
    pub fn tending(mut self, tenure: Tenure) -> Self {
        self.tenure = tenure;
        self
    }

    /// By another planner, and without the lint: for tests of what judges both.
    #[cfg(feature = "testing")]
    pub(crate) fn planning_by(mut self, planner: super::trial::Planner, linted: bool) -> Self {
        (self.planner, self.linted) = (planner, linted);
        self
    }

    /// Runs until `stop` completes; then waits for the steps under way, so that none is cut in half.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut changes = Some(self.backend.changes());
        let mut wanted = self.intents.changes();
        let mut turns = self.tenure.changes();
        loop {
            let due = self.next_due();
            let event = tokio::select! {
                biased;
                () = &mut stop => Event::Stop,
                Some(ended) = self.tasks.join_next() => ended.unwrap_or(Event::Panicked),
                Some(command) = self.commands.recv() => Event::Command(command),
                Ok(()) = turns.changed() => Event::Turned,
                Some(site) = wanted.next() => Event::Wanted(site),
                site = next_or_never(&mut changes) => site.map_or(Event::ChangesLost, Event::Changed),
                () = at(due) => Event::Due,
            };
            match event {
                Event::Stop => break,
                Event::ChangesLost => {
                    tracing::warn!("the backend's stream of changes has ended; looking again at all of it");
                    changes = None;
                    self.look_at_all(Instant::now());
                }
                event => {
                    self.handle(event, Instant::now());
                    if changes.is_none() && self.sight.unseen.is_none() {
                        changes = Some(self.backend.changes());
                    }
                }
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Command(command) => self.commands(command, now),
            Event::Changed(site) => self.look_at(site, now),
            Event::Turned => self.turned(now),
            Event::Wanted(site) => self.load(site),
            Event::Loaded(site, loaded) => self.loaded(site, loaded, now),
            Event::Swept(after, page) => self.swept(after, page, now),
            Event::Seen(scope, began, seen) => self.seen(&scope, began, seen, now),
            Event::Stepped(rank, step, result) => self.stepped(rank, &step, result, now),
            Event::Recorded(kept) => self.recorded(kept, now),
            Event::Judged(site, result) => self.judged(site, result, now),
            Event::Purged(site, result) => self.purged(site, result, now),
            Event::Told(site, result) => Self::told(site, result),
            Event::Metered(looks, kept) => self.metered(looks, kept),
            Event::Panicked => self.panicked(now),
            Event::Due => self.due(now),
            Event::Stop | Event::ChangesLost => {}
        }
        self.keep_found();
    }

    /// Another server may have tended these sites meanwhile, and kept what it found.
    fn turned(&mut self, now: Instant) {
        self.forget_found();
        let tended = self.wanted.keys().filter(|site| self.tenure.epoch(**site, now).is_some());
        tended.for_each(|site| self.queue.add(*site));
    }

    /// A look or a call of the store has panicked, and nobody knows which: none of them is waited for any more.
    /// What still comes of them does no harm. Steps catch their own panics.
    fn panicked(&mut self, now: Instant) {
        tracing::error!("a defect: a task of the converger has panicked; looking at everything again");
        self.loads = Loads { next_sweep: Some(now + Sight::SEARCH), ..Loads::default() };
        self.keeping = keeping::Keeping::default();
        self.judging.clear();
        self.metering = metering::Metering::default();
        self.forget_found();
        self.sight.fleet = false;
        self.sight.sites.clear();
        self.sight.next_fleet = Some(now + Sight::SEARCH);
    }

    /// When there is something to do next. `None` on both sides means now: nothing was done yet.
    fn next_due(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let sweep = (!self.loads.sweeping).then(|| self.loads.next_sweep.unwrap_or(now));
        let fleet = (!self.sight.fleet).then(|| self.sight.next_fleet.unwrap_or(now));
        let fleet = fleet.map(|at| self.paused.map_or(at, |until| at.max(until)));
        // Before the first look nothing can be said of any site.
        let site = if self.sight.looked { self.queue.next_due(now) } else { None };
        [sweep, fleet, self.paused, self.sight.heard_out, site].into_iter().flatten().min()
    }

    fn due(&mut self, now: Instant) {
        if !self.loads.sweeping && self.loads.next_sweep.is_none_or(|at| at <= now) {
            self.sweep(None);
        }
        self.resume(now);
        if self.sight.next_fleet.is_none_or(|at| at <= now) {
            self.look_at_all(now);
        }
        self.hear_out(now);
        if !self.sight.looked {
            return;
        }
        // What comes meanwhile does not wait for a whole fleet.
        let due: Vec<_> = std::iter::from_fn(|| self.queue.pop(now)).take(Self::PASSES).collect();
        self.pass(&due, now);
    }
}

async fn next_or_never(changes: &mut Option<BoxStream<'static, SiteId>>) -> Option<SiteId> {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

async fn at(due: Option<Instant>) {
    match due {
        // A timer would wait for the next millisecond.
        Some(due) if due <= Instant::now() => {}
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// The wall-clock time of a moment.
fn timestamp(at: Instant, now: Instant) -> Timestamp {
    let ahead = at.saturating_duration_since(now);
    Timestamp::now().checked_add(ahead).unwrap_or(Timestamp::MAX)
}
