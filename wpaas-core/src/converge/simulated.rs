//! A backend that runs nothing: for tests, for benchmarks and for trying the API out.
//!
//! Its nodes behave as `node/README.md` says: database nodes wait for orders and keep positions on their
//! volumes, WordPress nodes wait for a database, gateways follow their routes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::{broadcast, mpsc};

use super::{
    Action, Applied, Backend, BackendError, Capabilities, Coverage, ErrorClass, Object, ObjectId,
    ObjectState, Observation, Part, Report, Scope, Step,
};
use crate::id::SiteId;

mod world;

use world::World;

/// Runs nothing, and says so in [`Capabilities::real`].
#[derive(Debug)]
pub struct Simulated {
    world: Mutex<World>,
    reports: mpsc::UnboundedSender<Report>,
    hints: broadcast::Sender<SiteId>,
}

impl Simulated {
    /// An empty world, and what its nodes will say.
    #[must_use]
    pub fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Report>) {
        let (reports, receiver) = mpsc::unbounded_channel();
        let (hints, _) = broadcast::channel(1024);
        (Arc::new(Self { world: Mutex::default(), reports, hints }), receiver)
    }

    /// Every node says again what it said last; nodes do that every 5 s.
    pub fn heartbeat(&self) {
        for report in self.lock().last_reports() {
            self.say(report);
        }
    }

    /// A node dies, as by SIGKILL. Returns whether it ran.
    pub fn kill(&self, site: SiteId, part: Part) -> bool {
        self.outside(site, |world| world.kill(site, part))
    }

    /// An object is removed by somebody else. Returns whether it was there.
    pub fn vanish(&self, site: SiteId, part: Part) -> bool {
        self.outside(site, |world| world.objects.remove(&(site, part)).is_some())
    }

    /// Everything that is there, in order.
    #[must_use]
    pub fn objects(&self) -> Vec<(SiteId, Object)> {
        self.lock().objects.iter().map(|((site, _), thing)| (*site, thing.object.clone())).collect()
    }

    /// Something happens to a site that the control plane did not do.
    fn outside(&self, site: SiteId, happens: impl FnOnce(&mut World) -> bool) -> bool {
        let mut world = self.lock();
        let happened = happens(&mut world);
        self.settle(&mut world, site);
        happened
    }

    fn settle(&self, world: &mut World, site: SiteId) {
        for report in world.settle(site) {
            self.say(report);
        }
        // Nobody listens: then nobody needs the hint.
        let _nobody = self.hints.send(site);
    }

    fn say(&self, report: Report) {
        // The receiver is gone when the simulation's owner is.
        let _gone = self.reports.send(report);
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
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
            listing_lag: Duration::ZERO,
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let inside = |site: &SiteId| matches!(scope, Scope::Fleet) || *scope == Scope::Site(*site);
        let objects = self.objects().into_iter().filter(|(site, _)| inside(site)).collect();
        Ok(Observation { coverage: Coverage::Complete, objects })
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        let mut world = self.lock();
        let applied = take(&mut world, step);
        self.settle(&mut world, step.site);
        applied
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        futures::stream::unfold(self.hints.subscribe(), |mut hints| async move {
            loop {
                match hints.recv().await {
                    Ok(site) => return Some((site, hints)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}

fn take(world: &mut World, step: &Step) -> Result<Applied, BackendError> {
    let key = (step.site, step.part);
    match &step.action {
        Action::CreateNetwork | Action::CreateVolume | Action::CreateRelease { .. } => {
            let thing = world.make(step, None, Vec::new());
            if step.part == Part::Network {
                thing.object.address = Some(address(step.site));
            }
            Ok(Applied::Present(thing.object.clone()))
        }
        Action::CreateNode(spec) => {
            let there = world.objects.get(&key).map(|thing| thing.object.fingerprint);
            if there.is_some_and(|fingerprint| fingerprint != Some(spec.fingerprint)) {
                return Err(conflict(step));
            }
            let thing = world.make(step, Some(spec.fingerprint), spec.files.clone());
            thing.boot();
            Ok(Applied::Present(thing.object.clone()))
        }
        Action::StartNode { object } => {
            let thing = world.find(key, object).ok_or_else(|| conflict(step))?;
            thing.object.state = ObjectState::Ready;
            thing.boot();
            Ok(Applied::Present(thing.object.clone()))
        }
        Action::Order { object, boot, order } => {
            world.find(key, object).ok_or_else(|| conflict(step))?;
            world.order(key, boot, *order);
            Ok(Applied::Told)
        }
        Action::Configure { object, files } => {
            world.find(key, object).ok_or_else(|| conflict(step))?.give(files);
            Ok(Applied::Told)
        }
        Action::Remove { object } => {
            world.remove(key, object);
            Ok(Applied::Absent)
        }
    }
}

/// An address of 192.0.2.0/24, which RFC 5737 keeps for documentation: nothing answers there.
fn address(site: SiteId) -> IpAddr {
    let [.., last] = site.uuid().into_bytes();
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

fn conflict(step: &Step) -> BackendError {
    BackendError::new(
        ErrorClass::Conflict,
        format!("{}: what is there is not what was planned on", step.part),
    )
}

impl World {
    fn find(&mut self, key: (SiteId, Part), id: &ObjectId) -> Option<&mut world::Thing> {
        self.objects.get_mut(&key).filter(|thing| thing.object.id == *id)
    }

    fn remove(&mut self, key: (SiteId, Part), id: &ObjectId) {
        if self.find(key, id).is_some() {
            self.objects.remove(&key);
        }
    }

    /// What every running node said last.
    fn last_reports(&self) -> Vec<Report> {
        self.said.values().cloned().collect::<Vec<_>>()
    }
}

type Objects = BTreeMap<(SiteId, Part), world::Thing>;
