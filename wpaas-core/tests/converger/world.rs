//! A converger that runs, over intents in memory and a backend that fails on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{broadcast, oneshot};
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Act, Applied, Backend, BackendError, Capabilities, Converger, ConvergerHandle, ErrorClass, Intent,
    Intents, IntentsError, Observation, Part, Scope, Step, Verdict, Wanted,
};
use wpaas_core::id::SiteId;
use wpaas_core::metering::Look;
use wpaas_core::site::DatabaseSize::One;
use wpaas_core::site::SiteStatus;

use crate::support::wanted;

/// Intents in memory.
#[derive(Debug)]
pub struct Book {
    pub wanted: Mutex<BTreeMap<SiteId, Intent>>,
    pub found: Mutex<BTreeMap<SiteId, SiteStatus>>,
    /// In the order in which they came.
    pub metered: Mutex<Vec<Look>>,
    /// What was told to be done, in order.
    pub acted: Mutex<Vec<Act>>,
    pub hints: broadcast::Sender<SiteId>,
    /// How often a site was read by itself.
    pub read: AtomicUsize,
}

impl Book {
    pub fn new() -> Arc<Self> {
        let hints = broadcast::channel(64).0;
        let (wanted, found, metered) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (acted, read) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { wanted, found, metered, acted, hints, read })
    }

    pub fn want(&self, intent: Intent) {
        let site = intent.site;
        self.wanted.lock().unwrap().insert(site, intent);
        let _nobody = self.hints.send(site);
    }

    pub fn found(&self, site: SiteId) -> Option<SiteStatus> {
        self.found.lock().unwrap().get(&site).cloned()
    }
}

#[async_trait]
impl Intents for Book {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        // A listing is there before all is read.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let wanted = self.wanted.lock().unwrap();
        Ok(wanted.values().filter(|intent| Some(intent.site) > after).take(limit).cloned().collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        self.read.fetch_add(1, Ordering::Relaxed);
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
pub struct Flaky {
    pub inner: Arc<Simulated>,
    pub cut: AtomicBool,
    pub panicking: AtomicBool,
    pub failing: Mutex<Option<(Part, ErrorClass)>>,
    pub hanging: Mutex<Option<SiteId>>,
    pub applied: AtomicUsize,
    pub observed: AtomicUsize,
}

impl Flaky {
    pub fn over(inner: Arc<Simulated>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            cut: AtomicBool::new(false),
            panicking: AtomicBool::new(false),
            failing: Mutex::default(),
            hanging: Mutex::default(),
            applied: AtomicUsize::new(0),
            observed: AtomicUsize::new(0),
        })
    }
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

pub struct World {
    pub book: Arc<Book>,
    pub backend: Arc<Flaky>,
    /// Of the server that runs now.
    pub handle: Arc<Mutex<ConvergerHandle>>,
    pub stop: Option<oneshot::Sender<()>>,
    pub running: tokio::task::JoinHandle<()>,
}

impl World {
    /// The server dies as by SIGKILL, and another starts.
    pub fn restart(&mut self) {
        self.running.abort();
        let (converger, handle) = Converger::new(self.backend.clone(), self.book.clone());
        *self.handle.lock().unwrap() = handle;
        self.running = tokio::spawn(converger.run(std::future::pending()));
        self.stop = None;
    }

    /// No report reaches the server any more.
    pub fn deafen(&self) {
        *self.handle.lock().unwrap() = Converger::new(self.backend.clone(), self.book.clone()).1;
    }

    pub fn applied(&self) -> usize {
        self.backend.applied.load(Ordering::Relaxed)
    }
}

pub fn start() -> World {
    let book = Book::new();
    let (inner, mut reports) = Simulated::new();
    let backend = Flaky::over(inner.clone());
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

pub fn intent(wordpress: u8) -> Intent {
    Intent {
        site: SiteId::new(),
        generation: 1,
        version: 1,
        epoch: 1,
        wanted: Wanted::Run(wanted(wordpress, One)),
    }
}

/// Virtual time passes until this holds; the test fails after an hour of it.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..36_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("an hour has passed, and still not: {what}");
}

pub fn ready(world: &World, site: SiteId) -> bool {
    world.book.found(site).is_some_and(|status| status.is_ready())
}
