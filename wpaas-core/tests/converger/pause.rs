//! A backend that asks to be left alone is left alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep};
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Applied, Backend, BackendError, Capabilities, Converger, ErrorClass, Observation, Scope, Step,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::SiteStatus;

use crate::world::{Book, intent, until};

/// The simulated backend, which notes every call, and asks now and then for a pause.
#[derive(Debug)]
struct Limited {
    inner: Arc<Simulated>,
    calls: Mutex<Vec<Instant>>,
    /// What the next steps are answered, the last first.
    asks: Mutex<Vec<Option<Duration>>>,
    /// What the next listings are answered.
    unlisted: Mutex<Vec<Option<Duration>>>,
    /// When it asked.
    asked: Mutex<Vec<Instant>>,
}

impl Limited {
    fn throttle(&self, asks: &Mutex<Vec<Option<Duration>>>) -> Result<(), BackendError> {
        let Some(retry_after) = asks.lock().unwrap().pop() else { return Ok(()) };
        self.asked.lock().unwrap().push(Instant::now());
        Err(BackendError::new(ErrorClass::Throttled { retry_after }, "too many calls"))
    }

    /// Calls that began so long after it asked first, at most.
    fn calls_within(&self, pause: Duration) -> usize {
        let asked = self.asked.lock().unwrap()[0];
        self.calls.lock().unwrap().iter().filter(|at| (asked..asked + pause).contains(at)).count()
    }
}

#[async_trait]
impl Backend for Limited {
    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrency: 8, ..self.inner.capabilities() }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.calls.lock().unwrap().push(Instant::now());
        self.throttle(&self.unlisted)?;
        self.inner.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.calls.lock().unwrap().push(Instant::now());
        sleep(Duration::from_millis(500)).await;
        self.throttle(&self.asks)?;
        sleep(Duration::from_millis(500)).await;
        self.inner.apply(step).await
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}

fn begin(sites: usize) -> (Arc<Limited>, Arc<Book>) {
    let (inner, mut reports) = Simulated::new();
    let [calls, asked] = [(); 2].map(|()| Mutex::default());
    let backend =
        Arc::new(Limited { inner, calls, asks: Mutex::default(), unlisted: Mutex::default(), asked });
    let book = Book::new();
    for _ in 0..sites {
        book.want(intent(1));
    }
    let (converger, handle) = Converger::new(backend.clone(), book.clone());
    tokio::spawn(converger.run(std::future::pending()));
    let nodes = backend.inner.clone();
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_secs(5)).await;
            nodes.heartbeat();
        }
    });
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            handle.report(report);
        }
    });
    (backend, book)
}

const MINUTE: Duration = Duration::from_secs(60);

async fn all_ready(book: &Book, sites: usize) {
    until("ready", || {
        let found = book.found.lock().unwrap();
        found.len() == sites && found.values().all(SiteStatus::is_ready)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_throttled_step_of_a_hundred_sites_pauses_every_call() {
    let (backend, book) = begin(100);
    backend.asks.lock().unwrap().push(Some(MINUTE));
    until("asked", || !backend.asked.lock().unwrap().is_empty()).await;
    sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(backend.calls_within(MINUTE), 0, "calls in the pause");
    assert!(backend.calls_within(2 * MINUTE) > 0, "it goes on after it");
    all_ready(&book, 100).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_throttle_without_a_time_shortens_no_pause() {
    let (backend, book) = begin(10);
    backend.asks.lock().unwrap().extend([None, Some(MINUTE)]);
    until("asked twice", || backend.asked.lock().unwrap().len() == 2).await;
    sleep(MINUTE).await;
    assert_eq!(backend.calls_within(MINUTE), 0, "calls in the pause");
    all_ready(&book, 10).await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_listing_is_asked_for_again_when_the_backend_said() {
    let (backend, book) = begin(1);
    backend.unlisted.lock().unwrap().push(Some(MINUTE));
    all_ready(&book, 1).await;
    let first = backend.calls.lock().unwrap()[0];
    assert_eq!(backend.asked.lock().unwrap()[..], [first]);
    assert_eq!(backend.calls_within(MINUTE), 1, "the listing that was refused alone");
}
