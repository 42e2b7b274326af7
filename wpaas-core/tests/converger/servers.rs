//! Several servers over one store and one backend, and a store that was put back to an older state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wpaas_core::claim::{Keeper, ServerId, Share, Tenure};
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Applied, Backend, BackendError, Capabilities, Converger, ConvergerHandle, Intent, Observation, Part,
    Scope, Step, Wanted,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::One;
use wpaas_core::site::{ConditionKind, Truth};
use wpaas_core::store::memory::MemoryStore;

use crate::support::wanted;
use crate::world::{Flaky, World, intent, ready, start, until};

/// The backend of all, which notes in which epoch each step was taken.
#[derive(Debug)]
struct Noted {
    inner: Arc<Flaky>,
    epochs: Mutex<Vec<(SiteId, u64)>>,
}

#[async_trait]
impl Backend for Noted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.inner.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        let applied = self.inner.apply(step).await;
        if applied.is_ok() {
            self.epochs.lock().unwrap().push((step.site, step.epoch));
        }
        applied
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.inner.changes()
    }
}

struct Server {
    tenure: Tenure,
    keeper: JoinHandle<()>,
    converger: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// Servers that share a world; the world's own server tends nothing.
struct Fleet {
    world: World,
    backend: Arc<Noted>,
    store: Arc<MemoryStore>,
    reports: Arc<Mutex<Vec<ConvergerHandle>>>,
    servers: Vec<Server>,
}

impl Fleet {
    fn new() -> Self {
        let (inner, mut reports) = Simulated::new();
        let world = start();
        world.running.abort();
        let flaky = Flaky::over(inner.clone());
        let handles = Arc::<Mutex<Vec<ConvergerHandle>>>::default();
        let told = handles.clone();
        tokio::spawn(async move {
            while let Some(report) = reports.recv().await {
                for handle in &*told.lock().unwrap() {
                    handle.report(report.clone());
                }
            }
        });
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                inner.heartbeat();
            }
        });
        let backend = Arc::new(Noted { inner: flaky, epochs: Mutex::default() });
        Self { world, backend, store: Arc::default(), reports: handles, servers: Vec::new() }
    }

    fn add(&mut self) {
        let name = ServerId::new(&format!("server-{}", self.servers.len())).unwrap();
        let (keeper, tenure, _) = Keeper::new(self.store.clone(), name, None);
        let (converger, handle) = Converger::new(self.backend.clone(), self.world.book.clone());
        self.reports.lock().unwrap().push(handle);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keeper.run(async { drop(stopped.await) }));
        let converger = tokio::spawn(converger.tending(tenure.clone()).run(std::future::pending()));
        self.servers.push(Server { tenure, keeper, converger, stop });
    }

    fn want(&self, sites: usize) -> Vec<SiteId> {
        let intents: Vec<Intent> = (0..sites).map(|_| intent(1)).collect();
        let sites = intents.iter().map(|intent| intent.site).collect();
        for intent in intents {
            self.world.book.want(intent);
        }
        sites
    }

    /// The servers that tend the site now.
    fn tended_by(&self, site: SiteId) -> Vec<usize> {
        let now = tokio::time::Instant::now();
        let tends = |server: &usize| self.servers[*server].tenure.epoch(site, now).is_some();
        (0..self.servers.len()).filter(tends).collect()
    }

    async fn all_ready(&self, sites: &[SiteId]) {
        for site in sites {
            until("ready", || ready(&self.world, *site)).await;
        }
    }

    async fn each_tended_by_one(&self, sites: &[SiteId]) {
        until("each is tended by one", || sites.iter().all(|site| self.tended_by(*site).len() == 1)).await;
    }

    /// What was ever done to a site was done in epochs that never went back.
    fn epochs_never_went_back(&self) {
        let mut last = BTreeMap::new();
        for (site, epoch) in &*self.backend.epochs.lock().unwrap() {
            let before = last.insert(*site, *epoch).unwrap_or(0);
            assert!(before <= *epoch, "{site}: a step of epoch {epoch} after one of {before}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sites_are_spread_and_a_server_that_comes_takes_its_share() {
    let mut fleet = Fleet::new();
    fleet.add();
    let sites = fleet.want(40);
    fleet.all_ready(&sites).await;
    fleet.add();
    fleet.add();
    let servers =
        |fleet: &Fleet| sites.iter().flat_map(|site| fleet.tended_by(*site)).collect::<BTreeSet<_>>();
    until("three tend", || servers(&fleet).len() == 3).await;
    fleet.each_tended_by_one(&sites).await;
    let shares: BTreeSet<Share> = sites.iter().map(|site| Share::of(*site)).collect();
    assert!(shares.len() > 10, "ids are spread");
    assert!(sites.iter().all(|site| ready(&fleet.world, *site)), "nothing was interrupted");
    fleet.epochs_never_went_back();
}

#[tokio::test(start_paused = true)]
async fn a_server_is_added_without_a_pause_and_what_drifts_meanwhile_is_healed() {
    let mut fleet = Fleet::new();
    fleet.add();
    let sites = fleet.want(40);
    fleet.all_ready(&sites).await;
    let (mut since, mut longest, mut drifted) = (BTreeMap::new(), Duration::ZERO, BTreeSet::new());
    for _ in 0..3 {
        fleet.add();
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            for site in &sites {
                if !fleet.tended_by(*site).is_empty() {
                    since.remove(site);
                    continue;
                }
                let began = since.entry(*site).or_insert_with(tokio::time::Instant::now);
                longest = longest.max(began.elapsed());
                if drifted.insert(*site) {
                    fleet.backend.inner.inner.vanish(*site, Part::Wordpress(0));
                }
            }
        }
    }
    assert!(longest <= Duration::from_secs(1), "nobody tended a site for {longest:?}");
    assert!(!drifted.is_empty(), "none was seen on its way from one server to another");
    let whole = |site: &SiteId| {
        fleet
            .backend
            .inner
            .inner
            .objects()
            .iter()
            .any(|(of, object)| of == site && object.part == Part::Wordpress(0))
    };
    until("healed", || drifted.iter().all(whole)).await;
    fleet.all_ready(&sites).await;
    fleet.epochs_never_went_back();
}

#[tokio::test(start_paused = true)]
async fn a_dead_servers_sites_are_tended_by_another_within_ten_seconds() {
    let mut fleet = Fleet::new();
    for _ in 0..3 {
        fleet.add();
    }
    let sites = fleet.want(20);
    fleet.each_tended_by_one(&sites).await;
    fleet.all_ready(&sites).await;
    let orphans: Vec<SiteId> = sites.iter().copied().filter(|site| fleet.tended_by(*site) == [0]).collect();
    assert!(!orphans.is_empty());
    fleet.servers[0].keeper.abort();
    fleet.servers[0].converger.abort();
    for site in &orphans {
        assert!(fleet.backend.inner.inner.vanish(*site, Part::Wordpress(0)));
    }
    let died = tokio::time::Instant::now();
    until("taken over", || {
        orphans.iter().all(|site| fleet.tended_by(*site).iter().any(|server| *server != 0))
    })
    .await;
    assert!(died.elapsed() < Duration::from_secs(10), "{:?}", died.elapsed());
    let there = |site: &SiteId| {
        let part = |(of, object): &(SiteId, wpaas_core::converge::Object)| {
            of == site && object.part == Part::Wordpress(0)
        };
        fleet.backend.inner.inner.objects().iter().any(part)
    };
    until("healed", || orphans.iter().all(there)).await;
    fleet.epochs_never_went_back();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hung_does_nothing_more() {
    let mut fleet = Fleet::new();
    fleet.add();
    fleet.add();
    let sites = fleet.want(10);
    fleet.each_tended_by_one(&sites).await;
    fleet.all_ready(&sites).await;
    // It says no more that it lives, and its converger goes on as if nothing were.
    fleet.servers[0].keeper.abort();
    until("taken over", || sites.iter().all(|site| fleet.tended_by(*site) == [1])).await;
    for site in &sites {
        assert!(fleet.backend.inner.inner.vanish(*site, Part::Wordpress(0)));
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    fleet.all_ready(&sites).await;
    fleet.epochs_never_went_back();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_leaves_its_sites_at_once() {
    let mut fleet = Fleet::new();
    fleet.add();
    fleet.add();
    let sites = fleet.want(10);
    fleet.each_tended_by_one(&sites).await;
    let stopped = fleet.servers.remove(0);
    stopped.stop.send(()).unwrap();
    stopped.keeper.await.unwrap();
    let began = tokio::time::Instant::now();
    until("taken over", || sites.iter().all(|site| fleet.tended_by(*site) == [0])).await;
    assert!(began.elapsed() < Keeper::LEASE, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_commits_takes_nothing_away_until_somebody_says_what_is_wanted() {
    let mut world = start();
    let mut newest = intent(3);
    newest.generation = 5;
    let site = newest.site;
    world.book.want(newest.clone());
    until("complete", || world.book.found(site).is_some_and(|status| status.num_instances == 3)).await;
    let before = world.backend.inner.objects();

    let older = Intent { generation: 4, wanted: Wanted::Run(wanted(1, One)), ..newest.clone() };
    world.book.want(older.clone());
    world.restart();
    let behind = |world: &World| {
        let status = world.book.found(site)?;
        Some((status.observed_generation, status.condition(ConditionKind::StoreBehind)?.status))
    };
    until("said so", || behind(&world) == Some((5, Truth::True))).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.backend.inner.objects(), before, "what runs is kept");
    assert!(world.backend.inner.kill(site, Part::Wordpress(1)));
    until("healed all the same", || {
        let runs = |(_, object): &(SiteId, wpaas_core::converge::Object)| {
            object.part == Part::Wordpress(1) && object.state == wpaas_core::converge::ObjectState::Ready
        };
        world.backend.inner.objects().iter().any(runs)
    })
    .await;

    world.book.want(Intent { generation: 6, ..older });
    until("as wanted", || {
        world
            .book
            .found(site)
            .is_some_and(|status| status.num_instances == 1 && status.observed_generation == 6)
    })
    .await;
    assert_eq!(behind(&world), Some((6, Truth::False)));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_a_site_does_not_lose_what_runs() {
    let mut world = start();
    let lost = intent(1);
    let site = lost.site;
    world.book.want(lost);
    until("ready", || ready(&world, site)).await;
    let before = world.backend.inner.objects();
    world.book.wanted.lock().unwrap().clear();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.backend.inner.objects(), before);
    // Nothing of it can be mended without the store: the server that knew it leaves it alone, too.
    assert!(world.backend.inner.vanish(site, Part::Wordpress(0)));
    let before = world.backend.inner.objects();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.backend.inner.objects(), before);
    world.restart();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(world.backend.inner.objects(), before);
}
