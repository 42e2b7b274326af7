//! A store of what is wanted, as good and as bad as one that a server reaches over a network.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

use super::judge::{Judge, short};
use crate::converge::trial::settle;
use crate::converge::{Intent, Intents, IntentsError, RunIntent, Verdict, Wanted, hints};
use crate::id::SiteId;
use crate::metering::Look;
use crate::site::{Generation, SiteStatus};

/// By how much a clock may be wrong.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// What is wanted of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) generation: Generation,
    /// Grows also with what is found of a release.
    pub(super) version: u64,
    pub(super) run: RunIntent,
    pub(super) life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    Rests,
    /// Rests for its grace, by the true clock.
    Deleted {
        purge_after: Instant,
    },
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generation, version: _, run, life } = self;
        let (wordpress, database) = (run.wordpress, run.database.nodes());
        let life = match life {
            Life::Runs => "runs",
            Life::Rests => "rests",
            Life::Deleted { .. } => "deleted",
        };
        write!(
            f,
            "generation {generation}, {life}, {wordpress} WordPress, {database} database, {:?}, admin {}, {:?}",
            run.release.map(|release| match release {
                crate::converge::ReleaseRef::Stock => "stock".to_owned(),
                crate::converge::ReleaseRef::Stored { digest, .. } =>
                    digest.to_string().chars().take(11).collect(),
            }),
            run.admin_version,
            run.home
        )
    }
}

/// The truth.
#[derive(Debug)]
pub(super) struct Book {
    pages: Mutex<Pages>,
    hints: broadcast::Sender<SiteId>,
    judge: Judge,
}

#[derive(Debug, Clone, Default)]
struct Pages {
    wanted: BTreeMap<SiteId, Wish>,
    /// With the epoch of who found it.
    found: BTreeMap<SiteId, (u64, SiteStatus)>,
    purged: BTreeMap<SiteId, Generation>,
}

impl Book {
    pub(super) fn new(judge: Judge) -> Arc<Self> {
        Arc::new(Self { pages: Mutex::default(), hints: broadcast::channel(64).0, judge })
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, site: SiteId, wish: Wish) {
        self.judge.wished(site, &wish);
        self.pages().wanted.insert(site, wish);
        // A hint that nobody hears is lost.
        let _nobody = self.hints.send(site);
    }

    pub(super) fn wanted(&self) -> BTreeMap<SiteId, Wish> {
        self.pages().wanted.clone()
    }

    pub(super) fn found(&self, site: SiteId) -> Option<SiteStatus> {
        self.pages().found.get(&site).map(|(_, status)| status.clone())
    }
}

/// How one server reaches the book.
#[derive(Debug)]
pub(super) struct Desk {
    book: Arc<Book>,
    pub(super) epoch: u64,
    state: Mutex<Reach>,
}

#[derive(Debug)]
struct Reach {
    rng: StdRng,
    /// Chance in a thousand that a call fails.
    failing: u16,
    /// What a replica that is behind shows.
    behind: Option<Pages>,
    /// By how much the server's clock is ahead, or behind.
    ahead: Duration,
    late: Duration,
    slow: Duration,
}

impl Desk {
    pub(super) fn new(book: Arc<Book>, epoch: u64, seed: u64) -> Arc<Self> {
        let rng = StdRng::seed_from_u64(seed ^ epoch);
        let (zero, slow) = (Duration::ZERO, Duration::from_millis(50));
        let reach = Reach { rng, failing: 0, behind: None, ahead: zero, late: zero, slow };
        Arc::new(Self { book, epoch, state: Mutex::new(reach) })
    }

    fn reach(&self) -> MutexGuard<'_, Reach> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many calls in a thousand fail, and each takes up to this long.
    pub(super) fn trouble(&self, failing: u16, slow: Duration) {
        let mut reach = self.reach();
        (reach.failing, reach.slow) = (failing, slow);
    }

    /// From now on it reads what is wanted now, whatever comes.
    pub(super) fn fall_behind(&self) {
        let pages = self.book.pages().clone();
        self.reach().behind = Some(pages);
    }

    /// Its clock is an hour off.
    pub(super) fn clock(&self, ahead: bool) {
        let mut reach = self.reach();
        (reach.ahead, reach.late) = if ahead { (HOUR, Duration::ZERO) } else { (Duration::ZERO, HOUR) };
    }

    /// Everything is as it should be.
    pub(super) fn mend(&self) {
        let mut reach = self.reach();
        (reach.failing, reach.behind) = (0, None);
        (reach.ahead, reach.late, reach.slow) = (Duration::ZERO, Duration::ZERO, Duration::from_millis(50));
    }

    async fn call(&self) -> Result<(), IntentsError> {
        let (wait, fails) = {
            let mut reach = self.reach();
            let slow = reach.slow;
            let failing = reach.failing;
            (reach.rng.random_range(Duration::ZERO..slow), reach.rng.random_range(0..1000) < failing)
        };
        sleep(wait).await;
        if fails { Err(IntentsError("the store is busy".into())) } else { Ok(()) }
    }

    fn pages(&self) -> Pages {
        self.reach().behind.clone().unwrap_or_else(|| self.book.pages().clone())
    }

    fn now(&self) -> Instant {
        let reach = self.reach();
        let now = Instant::now() + reach.ahead;
        now.checked_sub(reach.late).unwrap_or(now)
    }

    fn intent(&self, site: SiteId, wish: &Wish) -> Intent {
        let Wish { generation, version, .. } = *wish;
        Intent { site, generation, version, epoch: self.epoch, wanted: wish.at(self.now()) }
    }
}

#[async_trait]
impl Intents for Desk {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        self.call().await?;
        let pages = self.pages();
        let rest = pages.wanted.iter().filter(|(site, _)| Some(**site) > after);
        Ok(rest.take(limit).map(|(site, wish)| self.intent(*site, wish)).collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        self.call().await?;
        let pages = self.pages();
        if let Some(wish) = pages.wanted.get(&site) {
            return Ok(Some(self.intent(site, wish)));
        }
        let generation = pages.purged.get(&site).copied();
        let (epoch, version) = (self.epoch, u64::MAX);
        Ok(generation.map(|generation| Intent { site, generation, version, epoch, wanted: Wanted::Gone }))
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        self.call().await?;
        // What a server finds that is behind does not overwrite what a newer one found.
        let mark = |epoch: u64, status: &SiteStatus| (status.observed_generation, epoch);
        let mut pages = self.book.pages();
        let newer = |(epoch, kept): &(u64, SiteStatus)| mark(*epoch, kept) > mark(self.epoch, status);
        if !pages.found.get(&site).is_some_and(newer) {
            pages.found.insert(site, (self.epoch, status.clone()));
        }
        Ok(())
    }

    async fn judged(&self, site: SiteId, verdict: &Verdict) -> Result<(), IntentsError> {
        self.call().await?;
        let mut pages = self.book.pages();
        let Some(wish) = pages.wanted.get_mut(&site) else { return Ok(()) };
        if !settle(&mut wish.run, verdict.clone()) {
            return Ok(());
        }
        wish.version += 1;
        let wish = wish.clone();
        drop(pages);
        self.book.judge.judged(site, &wish);
        Ok(())
    }

    /// Nothing is metered in a storm: its backend keeps no time.
    async fn metered(&self, _: Vec<Look>) -> Result<(), IntentsError> {
        Ok(())
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        self.call().await?;
        let now = self.now();
        let mut pages = self.book.pages();
        let Some(wish) = pages.wanted.get(&site) else { return Ok(()) };
        if wish.at(now) != Wanted::Gone {
            return Err(IntentsError("the site is not to go".into()));
        }
        let generation = wish.generation;
        pages.wanted.remove(&site);
        pages.found.remove(&site);
        pages.purged.insert(site, generation);
        drop(pages);
        self.book.judge.note(format!("{} is purged", short(site)));
        Ok(())
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        hints(self.book.hints.subscribe())
    }
}
