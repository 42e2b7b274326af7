//! A backend and a store that cost next to nothing, so that what is measured is the converger.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::time::Instant;
use wpaas_core::converge::{
    Applied, Backend, BackendError, Capabilities, Converger, ConvergerHandle, Coverage, Intent, Intents,
    IntentsError, Object, ObjectState, Observation, Part, Report, Scope, Step, Verdict,
};
use wpaas_core::id::SiteId;
use wpaas_core::metering::Look;
use wpaas_core::site::SiteStatus;

use super::made::Fleet;

/// A converger over a fleet.
pub struct Running {
    pub backend: Arc<Listed>,
    pub book: Arc<Book>,
    _handle: ConvergerHandle,
}

/// What a converger works on.
pub struct Fakes {
    backend: Arc<Listed>,
    book: Arc<Book>,
}

impl Fakes {
    pub fn of(fleet: &Fleet) -> Self {
        let backend = Listed::new(fleet);
        Self { book: Book::new(fleet), backend }
    }

    /// Starts a converger; completes when every site was found ready.
    pub async fn run(&self) -> Running {
        let (converger, handle) = Converger::new(self.backend.clone(), self.book.clone());
        *locked(&self.book.handle) = Some(handle.clone());
        tokio::spawn(converger.run(std::future::pending()));
        // Nodes of a site that is not known of are not heard, and these report but once.
        self.book.all_read.notified().await;
        while handle.explain(self.book.last()).await.is_none() {
            tokio::task::yield_now().await;
        }
        self.book.report();
        self.book.all_ready.notified().await;
        Running { backend: self.backend.clone(), book: self.book.clone(), _handle: handle }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wanted, and how many sites are as it is wanted.
#[derive(Debug)]
pub struct Book {
    intents: Vec<Intent>,
    reports: Vec<Report>,
    handle: Mutex<Option<ConvergerHandle>>,
    ready: AtomicUsize,
    all_ready: Notify,
    all_read: Notify,
}

impl Book {
    fn new(fleet: &Fleet) -> Arc<Self> {
        Arc::new(Self {
            intents: fleet.intents.clone(),
            reports: fleet.reports.clone(),
            handle: Mutex::default(),
            ready: AtomicUsize::new(0),
            all_ready: Notify::new(),
            all_read: Notify::new(),
        })
    }

    /// The site that is read last.
    fn last(&self) -> SiteId {
        self.intents.last().unwrap().site
    }

    /// Every node reports.
    pub fn report(&self) {
        let handle = locked(&self.handle);
        for report in &self.reports {
            handle.as_ref().unwrap().report(report.clone());
        }
    }
}

#[async_trait]
impl Intents for Book {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        let from = self.intents.partition_point(|intent| Some(intent.site) <= after);
        if self.intents.len() - from <= limit {
            self.all_read.notify_one();
        }
        Ok(self.intents[from..].iter().take(limit).cloned().collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        let at = self.intents.binary_search_by_key(&site, |intent| intent.site);
        Ok(at.ok().map(|at| self.intents[at].clone()))
    }

    async fn record(&self, _site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        if status.is_ready() {
            let ready = self.ready.fetch_add(1, Ordering::Relaxed) + 1;
            // Once: to wake a thread for each site is no cost of the converger's.
            if ready == self.intents.len() {
                self.all_ready.notify_one();
            }
        }
        Ok(())
    }

    async fn judged(&self, _: SiteId, _: &Verdict) -> Result<(), IntentsError> {
        Ok(())
    }

    async fn purged(&self, _site: SiteId) -> Result<(), IntentsError> {
        unreachable!("no site is deleted")
    }

    async fn metered(&self, _looks: Vec<Look>) -> Result<(), IntentsError> {
        unreachable!("the listings tell no times")
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        futures::stream::pending().boxed()
    }
}

/// A backend that lists what it was given.
#[derive(Debug)]
pub struct Listed {
    objects: Vec<(SiteId, Object)>,
    places: HashMap<SiteId, Range<usize>>,
    sites: Vec<SiteId>,
    killed: Mutex<Option<SiteId>>,
    stepped: Mutex<Option<oneshot::Sender<Instant>>>,
    hints: broadcast::Sender<SiteId>,
}

impl Listed {
    fn new(fleet: &Fleet) -> Arc<Self> {
        let places = fleet.intents.iter().enumerate().map(|(n, intent)| (intent.site, 6 * n..6 * n + 6));
        Arc::new(Self {
            objects: fleet.objects.clone(),
            places: places.collect(),
            sites: fleet.intents.iter().map(|intent| intent.site).collect(),
            killed: Mutex::default(),
            stepped: Mutex::default(),
            hints: broadcast::channel(16).0,
        })
    }

    /// Kills the WordPress node of a site; how long it takes until it is to be started again.
    pub async fn killed_until_step(&self, site: usize) -> Duration {
        let (sender, stepped) = oneshot::channel();
        *locked(&self.stepped) = Some(sender);
        *locked(&self.killed) = Some(self.sites[site]);
        let began = Instant::now();
        self.hints.send(self.sites[site]).unwrap();
        let took = stepped.await.unwrap() - began;
        // Every hint finds a quiet converger.
        tokio::time::sleep(Duration::from_millis(2)).await;
        took
    }
}

#[async_trait]
impl Backend for Listed {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "listed",
            real: false,
            concurrency: 8,
            resync: Duration::from_secs(10),
            listing_lag: Duration::ZERO,
            patience: None,
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let objects = match scope {
            Scope::Fleet => self.objects.clone(),
            Scope::Site(site) => {
                let mut objects = self.objects[self.places[site].clone()].to_vec();
                if *locked(&self.killed) == Some(*site) {
                    for (_, object) in &mut objects {
                        if object.part == Part::Wordpress(0) {
                            object.state = ObjectState::Stopped;
                        }
                    }
                }
                objects
            }
        };
        Ok(Observation { coverage: Coverage::Complete, objects, runs: Vec::new() })
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        if locked(&self.killed).take_if(|killed| *killed == step.site).is_some()
            && let Some(stepped) = locked(&self.stepped).take()
        {
            let _gone = stepped.send(Instant::now());
        }
        let here = &self.objects[self.places[&step.site].clone()];
        let object = here.iter().find(|(_, object)| object.part == step.part);
        Ok(Applied::Present(object.unwrap().1.clone()))
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        let hints = self.hints.subscribe();
        futures::stream::unfold(hints, |mut hints| async { Some((hints.recv().await.ok()?, hints)) }).boxed()
    }
}
