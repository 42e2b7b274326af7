//! The loop under a virtual clock, over the simulated backend and one that fails on demand.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "converger/looks.rs"]
mod looks;
#[path = "converger/pause.rs"]
mod pause;
#[path = "converger/servers.rs"]
mod servers;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use support::wanted;
use tokio::sync::{broadcast, oneshot};
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Act, Applied, Backend, BackendError, Capabilities, Converger, ConvergerHandle, Ends, ErrorClass, Intent,
    Intents, IntentsError, Observation, Part, Run, Scope, Step, Verdict, Wanted,
};
use wpaas_core::id::SiteId;
use wpaas_core::metering::{Look, Meter, MeterState};
use wpaas_core::site::DatabaseSize::{One, Three};
use wpaas_core::site::{ConditionKind, SiteStatus, Truth};

/// Intents in memory.
#[derive(Debug)]
struct Book {
    wanted: Mutex<BTreeMap<SiteId, Intent>>,
    found: Mutex<BTreeMap<SiteId, SiteStatus>>,
    /// In the order in which they came.
    metered: Mutex<Vec<Look>>,
    /// What was told to be done, in order.
    acted: Mutex<Vec<Act>>,
    hints: broadcast::Sender<SiteId>,
}

impl Book {
    fn new() -> Arc<Self> {
        let hints = broadcast::channel(64).0;
        let (wanted, found, metered) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { wanted, found, metered, acted: Mutex::default(), hints })
    }

    fn want(&self, intent: Intent) {
        let site = intent.site;
        self.wanted.lock().unwrap().insert(site, intent);
        let _nobody = self.hints.send(site);
    }

    fn found(&self, site: SiteId) -> Option<SiteStatus> {
        self.found.lock().unwrap().get(&site).cloned()
    }
}

#[async_trait]
impl Intents for Book {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        let wanted = self.wanted.lock().unwrap();
        Ok(wanted.values().filter(|intent| Some(intent.site) > after).take(limit).cloned().collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        Ok(self.wanted.lock().unwrap().get(&site).cloned())
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        self.found.lock().unwrap().insert(site, status.clone());
        Ok(())
    }

    /// As the store does.
    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError> {
        if let Some(intent) = self.wanted.lock().unwrap().get_mut(&site)
            && let Wanted::Run(run) = &mut intent.wanted
            && let Some(candidate) = run.candidate.take_if(|candidate| candidate.id == verdict.release)
        {
            intent.version += 1;
            match &verdict.found {
                Ok(_) => run.release = Some(candidate.release),
                Err(why) => run.refused = Some(why.as_str().into()),
            }
        }
        Ok(())
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        self.wanted.lock().unwrap().remove(&site);
        self.found.lock().unwrap().remove(&site);
        Ok(())
    }

    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError> {
        self.metered.lock().unwrap().extend(looks);
        Ok(())
    }

    async fn acted(&self, _: SiteId, _: u64, acts: Vec<Act>) -> Result<(), IntentsError> {
        self.acted.lock().unwrap().extend(acts);
        Ok(())
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        let hints = self.hints.subscribe();
        futures::stream::unfold(hints, |mut hints| async { Some((hints.recv().await.ok()?, hints)) }).boxed()
    }
}

/// The simulated backend behind a switch that cuts it off, and a step that fails in a given way.
#[derive(Debug)]
struct Flaky {
    inner: Arc<Simulated>,
    cut: AtomicBool,
    panicking: AtomicBool,
    failing: Mutex<Option<(Part, ErrorClass)>>,
    hanging: Mutex<Option<SiteId>>,
    applied: AtomicUsize,
    observed: AtomicUsize,
}

#[async_trait]
impl Backend for Flaky {
    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrency: 8, ..self.inner.capabilities() }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.observed.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panicking.swap(false, Ordering::Relaxed), "as told");
        if self.cut.load(Ordering::Relaxed) {
            return Err(BackendError::new(ErrorClass::Transient, "the cable is out"));
        }
        self.inner.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.applied.fetch_add(1, Ordering::Relaxed);
        if *self.hanging.lock().unwrap() == Some(step.site) {
            std::future::pending::<()>().await;
        }
        let failing = *self.failing.lock().unwrap();
        match failing {
            Some((part, class)) if part == step.part => Err(BackendError::new(class, "as told")),
            _ => self.inner.apply(step).await,
        }
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}

struct World {
    book: Arc<Book>,
    backend: Arc<Flaky>,
    /// Of the server that runs now.
    handle: Arc<Mutex<ConvergerHandle>>,
    stop: Option<oneshot::Sender<()>>,
    running: tokio::task::JoinHandle<()>,
}

impl World {
    /// The server dies as by SIGKILL, and another starts.
    fn restart(&mut self) {
        self.running.abort();
        let (converger, handle) = Converger::new(self.backend.clone(), self.book.clone());
        *self.handle.lock().unwrap() = handle;
        self.running = tokio::spawn(converger.run(std::future::pending()));
        self.stop = None;
    }

    fn applied(&self) -> usize {
        self.backend.applied.load(Ordering::Relaxed)
    }
}

fn start() -> World {
    let book = Book::new();
    let (inner, mut reports) = Simulated::new();
    let backend = Arc::new(Flaky {
        inner: inner.clone(),
        cut: AtomicBool::new(false),
        panicking: AtomicBool::new(false),
        failing: Mutex::default(),
        hanging: Mutex::default(),
        applied: AtomicUsize::new(0),
        observed: AtomicUsize::new(0),
    });
    let (converger, handle) = Converger::new(backend.clone(), book.clone());
    let handle = Arc::new(Mutex::new(handle));
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(converger.run(async { drop(stopped.await) }));
    let reporter = handle.clone();
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            reporter.lock().unwrap().report(report);
        }
    });
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            inner.heartbeat();
        }
    });
    World { book, backend, handle, stop: Some(stop), running }
}

fn intent(wordpress: u8) -> Intent {
    Intent {
        site: SiteId::new(),
        generation: 1,
        version: 1,
        epoch: 1,
        wanted: Wanted::Run(wanted(wordpress, One)),
    }
}

/// Virtual time passes until this holds; the test fails after an hour of it.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..36_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("an hour has passed, and still not: {what}");
}

fn ready(world: &World, site: SiteId) -> bool {
    world.book.found(site).is_some_and(|status| status.is_ready())
}

#[tokio::test(start_paused = true)]
async fn a_site_comes_up_and_comes_back() {
    let world = start();
    let intent = intent(2);
    let site = intent.site;
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
    until("complete", || world.book.found(site).is_some_and(|status| status.num_instances == 2)).await;
    let before = world.backend.inner.objects().len();
    assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
    assert_eq!(world.backend.inner.objects().len(), before - 1);
    until("back", || world.backend.inner.objects().len() == before).await;
    until("settled", || {
        let status = world.book.found(site).unwrap();
        status.condition(ConditionKind::Progressing).unwrap().status == Truth::False
    })
    .await;
    let handle = world.handle.lock().unwrap().clone();
    assert!(handle.explain(site).await.unwrap().is_empty());
}

/// What was told since the last time: the step, what was found, and why.
fn told(world: &World) -> Vec<[String; 3]> {
    let acts = std::mem::take(&mut *world.book.acted.lock().unwrap());
    let told = |Act { step, found, why }: Act| [step.split(" (").next().unwrap().to_owned(), found, why];
    acts.into_iter().map(told).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_done_to_a_site_that_was_up_is_told_once_a_generation_and_hour() {
    let world = start();
    let mut intent = intent(2);
    let site = intent.site;
    world.book.want(intent.clone());
    let objects = || world.backend.inner.objects().len();
    until("ready", || ready(&world, site) && objects() == 7).await;
    assert!(told(&world).is_empty(), "that it comes up is what a person asked for");

    let Wanted::Run(run) = &mut intent.wanted else { panic!("is to run") };
    run.was_founded = true;
    (intent.generation, intent.version) = (2, 2);
    world.book.want(intent.clone());
    let vanish = async || {
        assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
        until("back", || objects() == 7).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    };
    tokio::time::sleep(Duration::from_secs(60)).await;
    vanish().await;
    let expected = [["create wordpress-0", "is not there", "is wanted and not there"].map(str::to_owned)];
    assert_eq!(told(&world), expected);
    vanish().await;
    assert!(told(&world).is_empty(), "the same again in the same generation");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    vanish().await;
    assert_eq!(told(&world), expected, "and an hour later");

    assert!(world.backend.inner.kill(site, Part::Wordpress(1)));
    until("said", || !world.book.acted.lock().unwrap().is_empty()).await;
    let found = "does not run, made for generation 1";
    assert_eq!(told(&world), [["start wordpress-1", found, "does not run"].map(str::to_owned)]);

    (intent.generation, intent.version) = (3, 3);
    world.book.want(intent);
    tokio::time::sleep(Duration::from_secs(60)).await;
    vanish().await;
    assert_eq!(told(&world), expected);
}

#[tokio::test(start_paused = true)]
async fn a_converged_fleet_takes_no_step() {
    let world = start();
    let sites: Vec<SiteId> = (0..20)
        .map(|_| {
            let intent = intent(1);
            let site = intent.site;
            world.book.want(intent);
            site
        })
        .collect();
    for site in sites {
        until("ready", || ready(&world, site)).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = world.applied();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.applied(), before);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_backend_is_said_so_and_nothing_is_done_until_it_is_back() {
    let world = start();
    world.backend.cut.store(true, Ordering::Relaxed);
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    let unknown = || {
        let status = world.book.found(site)?;
        let ready = status.condition(ConditionKind::Ready)?;
        Some(ready.status == Truth::Unknown && ready.message.contains("the cable is out"))
    };
    until("said so", || unknown() == Some(true)).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.applied(), 0);
    world.backend.cut.store(false, Ordering::Relaxed);
    until("ready", || ready(&world, site)).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_is_not_waited_for_ever() {
    let world = start();
    let intent = intent(1);
    let site = intent.site;
    world.backend.panicking.store(true, Ordering::Relaxed);
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
    world.backend.panicking.store(true, Ordering::Relaxed);
    assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
    until("back", || world.backend.inner.objects().len() == 6).await;
    assert!(!world.backend.panicking.load(Ordering::Relaxed), "it has panicked");
}

#[tokio::test(start_paused = true)]
async fn a_failing_step_backs_off_says_when_it_tries_again_and_recovers() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Gateway(0), ErrorClass::Transient));
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    let says = |text: &str| {
        let status = world.book.found(site)?;
        Some(status.last_error?.contains(text) && status.next_try.is_some())
    };
    until("said so", || says("as told") == Some(true)).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let tries = world.applied();
    assert!(tries < 40, "{tries} tries in ten minutes");
    *world.backend.failing.lock().unwrap() = None;
    until("ready", || ready(&world, site)).await;
    until("forgotten", || world.book.found(site).unwrap().last_error.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_tried_again_rarely_and_when_the_spec_changes() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Network, ErrorClass::Permanent));
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("said so", || world.book.found(site).is_some_and(|status| status.last_error.is_some())).await;
    let tries = || world.applied();
    until("said when", || world.book.found(site).unwrap().next_try.is_some()).await;
    let before = tries();
    tokio::time::sleep(Duration::from_secs(590)).await;
    assert_eq!(tries(), before);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(tries() > before, "nobody has to restart it");
    *world.backend.failing.lock().unwrap() = None;
    intent.generation += 1;
    world.book.want(intent);
    until("ready", || ready(&world, site)).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_mends_around_a_site_is_found_without_a_restart() {
    let world = start();
    *world.backend.failing.lock().unwrap() = Some((Part::Network, ErrorClass::Permanent));
    let intent = intent(1);
    let site = intent.site;
    world.book.want(intent);
    until("said so", || world.book.found(site).is_some_and(|status| status.last_error.is_some())).await;
    *world.backend.failing.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(600)).await;
    until("ready", || ready(&world, site)).await;
    until("forgotten", || world.book.found(site).unwrap().last_error.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_delays_no_other() {
    let world = start();
    let (stuck, other) = (intent(1), intent(1));
    *world.backend.hanging.lock().unwrap() = Some(stuck.site);
    world.book.want(stuck);
    let site = other.site;
    world.book.want(other);
    tokio::time::timeout(Duration::from_secs(10), until("ready", || ready(&world, site))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_site_that_hangs_with_more_steps_than_the_backend_takes_delays_no_other() {
    let world = start();
    let (mut stuck, other) = (intent(1), intent(1));
    world.book.want(stuck.clone());
    until("ready", || ready(&world, stuck.site)).await;
    *world.backend.hanging.lock().unwrap() = Some(stuck.site);
    let before = world.applied();
    stuck.generation += 1;
    stuck.wanted = Wanted::Run(wanted(20, One));
    world.book.want(stuck);
    until("its steps hang", || world.applied() > before).await;
    let site = other.site;
    world.book.want(other);
    tokio::time::timeout(Duration::from_secs(10), until("ready", || ready(&world, site))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_killed_at_any_moment_of_a_creation_or_deletion_goes_on_where_it_was() {
    for steps in 1..30 {
        let mut world = start();
        let mut intent = intent(2);
        if let Wanted::Run(run) = &mut intent.wanted {
            run.database = Three;
        }
        let site = intent.site;
        world.book.want(intent.clone());
        until("some steps", || world.applied() >= steps || ready(&world, site)).await;
        world.restart();
        let complete = || {
            world
                .book
                .found(site)
                .is_some_and(|status| status.num_instances == 2 && status.database_instances == 3)
        };
        until("complete", complete).await;
        assert_eq!(world.backend.inner.objects().len(), 1 + 4 + 3 + 2 + 1);
        intent.generation += 1;
        intent.wanted = Wanted::Gone;
        let before = world.applied();
        world.book.want(intent);
        until("some removed", || world.applied() >= before + steps.min(11)).await;
        world.restart();
        until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
        assert_eq!(world.backend.inner.objects(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_site_leaves_nothing_and_a_stopped_converger_stops() {
    let mut world = start();
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("ready", || ready(&world, site)).await;
    intent.generation += 1;
    intent.wanted = Wanted::Gone;
    world.book.want(intent);
    until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
    assert_eq!(world.backend.inner.objects(), []);
    world.stop.take().unwrap().send(()).unwrap();
    world.running.await.unwrap();
}

/// The ends that a backend leaves, with the looks.
#[async_trait]
impl Ends for Book {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        let look = Look { site, seen_at: NOW, complete: false, runs: vec![run], others: Vec::new() };
        self.metered(vec![look]).await
    }
}

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

#[tokio::test(start_paused = true)]
async fn what_ran_is_metered_and_its_end_before_the_site_is_forgotten() {
    let mut world = start();
    let ticks = || {
        static SECONDS: AtomicUsize = AtomicUsize::new(0);
        let seconds = SECONDS.fetch_add(1, Ordering::Relaxed);
        NOW + jiff::SignedDuration::from_secs(seconds.try_into().unwrap())
    };
    world.backend.inner.keep_time(ticks, world.book.clone());
    let mut intent = intent(1);
    let site = intent.site;
    world.book.want(intent.clone());
    until("ready", || ready(&world, site)).await;
    let runs = |world: &World| -> usize {
        let metered = world.book.metered.lock().unwrap();
        metered.iter().map(|look| look.runs.len()).max().unwrap_or(0)
    };
    // Three nodes and two volumes.
    until("metered", || runs(&world) == 5).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let before = world.book.metered.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(240)).await;
    assert_eq!(
        world.book.metered.lock().unwrap().len(),
        before,
        "a quiet site is metered every five minutes"
    );
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.book.metered.lock().unwrap().len(), before + 1);

    world.restart();
    intent.generation += 1;
    intent.wanted = Wanted::Gone;
    world.book.want(intent);
    until("purged", || world.book.wanted.lock().unwrap().is_empty()).await;
    let metered = world.book.metered.lock().unwrap();
    let mut meters = Vec::new();
    for look in metered.iter() {
        let advanced = wpaas_core::metering::advance(&meters, look);
        meters.retain(|old: &Meter| advanced.meters.iter().all(|new| new.object != old.object));
        meters.extend(advanced.meters);
    }
    let left = meters.iter().filter(|meter| meter.state == MeterState::Running).count();
    assert_eq!((meters.len(), left), (5, 0), "{meters:?}");
}
