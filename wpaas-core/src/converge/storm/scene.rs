//! Who takes part in a storm: a world, a book, servers that come and go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::book::{Book, Desk};
use super::judge::Judge;
use super::{Storm, Trace};
use crate::claim::Tenure;
use crate::converge::simulated::{Simulated, World};
use crate::converge::trial::{Planner, with_decoys};
use crate::converge::{Converger, ConvergerHandle, Report};
use crate::id::SiteId;

/// A converger with its own way to the book.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) desk: Arc<Desk>,
    pub(super) handle: ConvergerHandle,
    running: JoinHandle<()>,
}

impl Drop for Server {
    /// As by SIGKILL.
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Where the nodes' reports go: to every server that lives.
type Ears = Arc<Mutex<Vec<(u64, ConvergerHandle)>>>;

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) storm: Storm,
    planner: Planner,
    linted: bool,
    pub(super) rng: StdRng,
    pub(super) judge: Judge,
    pub(super) book: Arc<Book>,
    pub(super) backend: Arc<Simulated>,
    /// The newest last.
    pub(super) servers: Vec<Server>,
    pub(super) sites: Vec<SiteId>,
    ears: Ears,
    epoch: u64,
}

/// Goes through a storm. What went wrong comes with everything that was done.
pub(super) async fn play(
    storm: &Storm,
    planner: Planner,
    linted: bool,
) -> Result<Trace, (String, Vec<String>)> {
    let mut scene = Scene::new(storm, planner, linted);
    let judge = scene.judge.clone();
    let played = async {
        scene.weather().await?;
        scene.end().await
    };
    played.await.map_err(|what| (what, judge.log()))?;
    Ok(Trace { log: judge.log(), effects: judge.effects() })
}

impl Scene {
    fn new(storm: &Storm, planner: Planner, linted: bool) -> Self {
        let world = with_decoys();
        let judge = Judge::new(&world);
        let (backend, reports) = Simulated::of(world, storm.weather, Some(Box::new(judge.clone())));
        let book = Book::new(judge.clone());
        let ears = Ears::default();
        hear(reports, ears.clone());
        beat(backend.clone());
        let sites = (1..=storm.sites).map(site).collect();
        let rng = StdRng::seed_from_u64(storm.seed);
        let (storm, servers) = (*storm, Vec::new());
        let mut scene =
            Self { storm, planner, linted, rng, judge, book, backend, servers, sites, ears, epoch: 0 };
        for site in scene.sites.clone() {
            scene.first_wish(site);
        }
        scene.start();
        scene
    }

    /// A server starts, in an epoch of its own.
    pub(super) fn start(&mut self) {
        self.epoch += 1;
        self.judge.note(format!("the server of epoch {} starts", self.epoch));
        let desk = Desk::new(self.book.clone(), self.epoch, self.storm.seed);
        let (converger, handle) = Converger::new(self.backend.clone(), desk.clone());
        self.ears.lock().unwrap_or_else(PoisonError::into_inner).push((self.epoch, handle.clone()));
        let converger = converger.planning_by(self.planner, self.linted);
        let running =
            tokio::spawn(converger.tending(Tenure::believing(self.epoch)).run(std::future::pending()));
        self.servers.push(Server { desk, handle, running });
    }

    /// The oldest server dies.
    pub(super) fn kill_oldest(&mut self) {
        if !self.servers.is_empty() {
            let dead = self.servers.remove(0);
            let epoch = dead.desk.epoch;
            self.judge.note(format!("the server of epoch {epoch} is killed"));
            self.ears.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _)| *of != epoch);
            // What it was just doing may take effect, and nobody hears of it.
            for site in self.sites.clone() {
                self.judge.disturbed(site, "a server was killed");
            }
        }
    }

    pub(super) fn world(&self) -> World {
        self.backend.world()
    }

    /// So much time passes.
    pub(super) async fn pass(&self, time: Duration) -> Result<(), String> {
        sleep(time).await;
        self.judge.verdict(&self.world())
    }

    /// Everything goes wrong.
    async fn weather(&mut self) -> Result<(), String> {
        for _ in 0..self.storm.happenings {
            let pause = self.rng.random_range(Duration::ZERO..self.storm.pace);
            self.pass(pause).await?;
            self.happen();
        }
        Ok(())
    }
}

fn site(n: u8) -> SiteId {
    SiteId::from_uuid(uuid::Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

fn hear(mut reports: UnboundedReceiver<Report>, ears: Ears) {
    tokio::spawn(async move {
        while let Some(report) = reports.recv().await {
            for (_, handle) in ears.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                handle.report(report.clone());
            }
        }
    });
}

/// Every node says again every 5 s what it said last.
fn beat(backend: Arc<Simulated>) {
    tokio::spawn(async move {
        loop {
            sleep(Duration::from_secs(5)).await;
            backend.heartbeat();
        }
    });
}
