//! What sites run on, and the converger over it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use wpaas_core::claim::{Peers, Tenure};
use wpaas_core::code::local_store::LocalReleaseStore;
use wpaas_core::converge::simulated::{Simulated, Weather, World};
use wpaas_core::converge::{Backend, Converger, ConvergerHandle, Report};
use wpaas_core::fleet::{FleetBackend, NameService};
use wpaas_core::service::Service;

use crate::StartError;
use crate::autoscale::Loads;
use crate::certificates::Texts;
use crate::config::{BackendKind, Settings};
use crate::tasks::Tasks;
use crate::watch::{Watch, WatchedBackend, WatchedIntents};

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "docker")]
mod docker;
#[cfg(test)]
mod failing;

#[cfg(feature = "aws")]
use aws::start as aws;
#[cfg(feature = "docker")]
use docker::start as docker;

/// Simulated nodes say again what they said this often, as real ones do.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What a backend is started with.
pub struct BackendStart<'a> {
    /// As configured.
    pub settings: &'a Settings,
    /// Where intents and secrets come from.
    pub service: &'a Service,
    /// What kept releases are read from.
    #[cfg_attr(
        not(any(feature = "docker", feature = "aws")),
        expect(dead_code, reason = "what is simulated reads none")
    )]
    pub releases: &'a LocalReleaseStore,
    /// Who looks over the converger's shoulder.
    pub watch: &'a Watch,
    /// Which sites this server tends.
    pub tenure: &'a Tenure,
    /// Who else tends sites.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS has limits that servers share"))]
    pub peers: &'a Peers,
    /// Hears what gateways count, where that does not come by HTTP.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS has another way"))]
    pub loads: &'a Loads,
    /// Where what runs is kept.
    pub tasks: &'a mut Tasks,
    /// What is there already, where nothing real runs.
    pub world: World,
}

/// What runs now.
pub struct Started {
    /// Takes reports and explains plans.
    pub converger: ConvergerHandle,
    /// What is there, where nothing real runs.
    pub simulated: Option<Arc<Simulated>>,
    /// Where the fleet's own nodes run, if they do.
    pub fleet: Option<Arc<dyn FleetBackend>>,
    /// Who answers for the sites' names, where that is no server of our own.
    pub names: Option<Arc<dyn NameService>>,
    /// Where texts that prove the platform's names are put, where that is no server of our own.
    pub texts: Option<Arc<dyn Texts>>,
}

/// Starts the configured backend and a converger over it.
pub async fn start(start: BackendStart<'_>) -> Result<Started, StartError> {
    match start.settings.backend {
        BackendKind::Simulated => Ok(simulated(start)),
        BackendKind::Docker => docker(start),
        // The SDK makes large futures.
        BackendKind::Aws => Box::pin(aws(start)).await,
    }
}

fn simulated(mut start: BackendStart<'_>) -> Started {
    tracing::warn!("NOTHING REAL RUNS: the backend is simulated, and no site can be opened");
    let latency = start.settings.simulated.latency.as_std();
    let world = std::mem::take(&mut start.world);
    let (backend, said) = Simulated::of(world, Weather { latency, ..Weather::calm() }, None);
    backend.keep_time(Timestamp::now, Arc::new(start.service.intents()));
    for (site, _) in backend.objects() {
        // Its nodes say how they are.
        backend.outside(site, |_| ());
    }
    let converger = start_converger(backend.clone(), &mut start);
    let stopping = start.tasks.stopping();
    let work = simulate(backend.clone(), said, converger.clone());
    start.tasks.spawn("simulation", async move {
        stopping.run_until_cancelled(work).await;
    });
    Started { converger, simulated: Some(backend), fleet: None, names: None, texts: None }
}

async fn simulate(
    backend: Arc<Simulated>,
    mut said: mpsc::UnboundedReceiver<Report>,
    converger: ConvergerHandle,
) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            Some(report) = said.recv() => converger.report(report),
            _ = heartbeat.tick() => backend.heartbeat(),
        }
    }
}

#[cfg(not(feature = "aws"))]
fn aws(_: BackendStart<'_>) -> std::future::Ready<Result<Started, StartError>> {
    let why = "this program was built without AWS: build it with --features aws";
    std::future::ready(Err(StartError::Backend(why.into())))
}

#[cfg(not(feature = "docker"))]
fn docker(_: BackendStart<'_>) -> Result<Started, StartError> {
    Err(StartError::Backend("this program was built without Docker; try --backend simulated".into()))
}

/// The converger over a backend and the service's intents, both watched.
fn start_converger(backend: Arc<dyn Backend>, start: &mut BackendStart<'_>) -> ConvergerHandle {
    let backend = WatchedBackend { inner: backend, watch: start.watch.clone() };
    let intents = WatchedIntents { inner: Arc::new(start.service.intents()), watch: start.watch.clone() };
    let (converger, handle) = Converger::new(Arc::new(backend), Arc::new(intents));
    let converger = converger.tending(start.tenure.clone());
    let stopping = start.tasks.stopping();
    start.tasks.spawn("converger", converger.run(stopping.cancelled_owned()));
    handle
}
