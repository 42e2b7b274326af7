//! EC2's state machine, as its documentation tells it.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::time::Instant;

use super::name;
use super::shelf::Shelf;
use crate::cloud::{Address, CloudError, Filter, Group, Image, Instance, InstanceState, Launch, Page, Tags};
use crate::limiter::{Bucket, Call, Quota};

mod network;
mod volumes;

/// What an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Elastic IPs.
    pub addresses: usize,
    /// Security groups.
    pub groups: usize,
    /// Instances.
    pub instances: usize,
}

impl Default for Quotas {
    /// What a new account has of addresses and groups.
    fn default() -> Self {
        Self { addresses: 5, groups: 2500, instances: 1000 }
    }
}

impl Quotas {
    /// Enough for thousands of sites.
    #[must_use]
    pub const fn raised() -> Self {
        Self { addresses: 10_000, groups: 100_000, instances: 100_000 }
    }
}

const PENDING: Duration = Duration::from_secs(20);
const SHUTTING_DOWN: Duration = Duration::from_secs(30);
/// How long after its launch EC2 ends by itself what it can't start.
const DYING: Duration = Duration::from_secs(5);
/// How long what has ended is still listed.
const VISIBLE: Duration = Duration::from_secs(3600);
const PAGE: usize = 1000;
/// The one AMI that there is.
pub(super) const IMAGE: &str = "ami-1";
/// When the simulator's time begins, in seconds since 1970.
const EPOCH: i64 = 1_800_000_000;

/// One region of an account.
#[derive(Debug)]
pub(crate) struct Region {
    start: Instant,
    quotas: Quotas,
    /// How long listings lag behind.
    pub lag: Duration,
    /// Things a page.
    pub page: usize,
    /// Whether the listing that is asked for ends early.
    pub cut: bool,
    /// The instance type of which there are none left, and the zone if it is in one alone.
    pub sold_out: Option<(String, Option<String>)>,
    /// Why EC2 ends by itself what is launched now.
    pub ends_launches: Option<CloudError>,
    limits: HashMap<&'static str, Bucket>,
    launches: Bucket,
    made: u32,
    instances: Shelf<Machine>,
    volumes: Shelf<Disk>,
    groups: Shelf<Kept<Group>>,
    addresses: Shelf<Kept<Address>>,
    tokens: BTreeMap<String, (String, String)>,
}

/// Something that is there from one moment to another.
#[derive(Debug)]
struct Kept<T> {
    it: T,
    from: Instant,
    to: Option<Instant>,
}

impl<T> Kept<T> {
    fn seen(&self, at: Instant) -> Option<&T> {
        (self.from <= at && self.to.is_none_or(|to| to > at)).then_some(&self.it)
    }

    const fn lives(&self) -> bool {
        self.to.is_none()
    }

    /// Whether a call finds it by its id.
    fn is_found(&self, at: Instant) -> bool {
        self.lives() && self.from <= at
    }
}

#[derive(Debug)]
struct Machine {
    launch: Launch,
    zone: String,
    ip: Ipv4Addr,
    volumes: Vec<(String, Instant)>,
    /// When it was launched or last started, told to stop, and told to end.
    began: Instant,
    started: Instant,
    stopped: Option<Instant>,
    ended: Option<Instant>,
    /// Why EC2 ends it by itself.
    failure: Option<CloudError>,
}

impl Machine {
    fn state(&self, at: Instant) -> InstanceState {
        let since = |moment: Instant| at.saturating_duration_since(moment);
        match (self.ended, self.stopped) {
            (Some(ended), _) if ended <= at => {
                if since(ended) < SHUTTING_DOWN {
                    InstanceState::ShuttingDown
                } else {
                    InstanceState::Terminated
                }
            }
            (_, Some(stopped)) if stopped <= at => {
                if since(stopped) < SHUTTING_DOWN {
                    InstanceState::Stopping
                } else {
                    InstanceState::Stopped
                }
            }
            _ if since(self.started) < PENDING => InstanceState::Pending,
            _ => InstanceState::Running,
        }
    }
}

#[derive(Debug)]
struct Disk {
    zone: String,
    tags: Tags,
    created: Instant,
    deleted: Option<Instant>,
    attached: Option<(String, Instant)>,
}

fn not_found(kind: &str, id: &str) -> CloudError {
    CloudError::new(format!("{kind}.NotFound"), format!("The ID '{id}' does not exist"))
}

impl Region {
    pub(crate) fn new(quotas: Quotas, now: Instant) -> Self {
        let limits = Call::ALL.into_iter().map(|call| (name(call), Bucket::new(call.quota(), now))).collect();
        Self {
            start: now,
            quotas,
            lag: Duration::ZERO,
            page: PAGE,
            cut: false,
            sold_out: None,
            ends_launches: None,
            limits,
            launches: Bucket::new(Quota { capacity: 1000, refill: 2 }, now),
            made: 0,
            instances: Shelf::default(),
            volumes: Shelf::default(),
            groups: Shelf::default(),
            addresses: Shelf::default(),
            tokens: BTreeMap::new(),
        }
    }

    pub(crate) fn unix(&self, at: Instant) -> i64 {
        EPOCH + i64::try_from(at.saturating_duration_since(self.start).as_secs()).unwrap_or(i64::MAX / 2)
    }

    /// Whether the call's bucket has room for it; calls of other services have none.
    pub(super) fn admits(&mut self, call: &str, now: Instant) -> bool {
        self.limits.get_mut(call).is_none_or(|bucket| bucket.take(0, now).is_ok())
            && (call != "RunInstances" || self.launches.take(0, now).is_ok())
    }

    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{:017x}", self.made)
    }

    /// What was made under this token with these parameters.
    fn known(&self, token: &str, parameters: &str) -> Result<Option<&String>, CloudError> {
        match self.tokens.get(token) {
            Some((old, _)) if old != parameters => Err(CloudError::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )),
            known => Ok(known.map(|(_, id)| id)),
        }
    }

    fn seen_at(&self, now: Instant) -> Instant {
        now.checked_sub(self.lag).unwrap_or(now)
    }

    /// There is one AMI.
    pub(crate) fn image(id: &str) -> Result<Image, CloudError> {
        if id != IMAGE {
            return Err(CloudError::new(
                "InvalidAMIID.NotFound",
                format!("The image id '[{id}]' does not exist"),
            ));
        }
        Ok(Image { id: id.to_owned(), root_device: "/dev/xvda".to_owned() })
    }

    pub(crate) fn run(&mut self, launch: &Launch, now: Instant) -> Result<Instance, CloudError> {
        let parameters = format!("{launch:?}");
        if let Some(id) = self.known(&launch.token, &parameters)? {
            let machine = self.instances.get(id).ok_or_else(|| not_found("InvalidInstanceID", id))?;
            if machine.ended.is_some() {
                return Err(CloudError::new(
                    "IdempotentInstanceTerminated",
                    "The instance has been terminated",
                ));
            }
            return Ok(self.instance(id, machine, now));
        }
        for group in &launch.groups {
            self.groups
                .get(group)
                .filter(|kept| kept.is_found(self.seen_at(now)))
                .ok_or_else(|| not_found("InvalidGroup", group))?;
        }
        if launch.user_data.len() > crate::user_data::LIMIT {
            return Err(CloudError::new("InvalidParameterValue", "User data is limited to 16384 bytes"));
        }
        if self.instances.iter().filter(|(_, machine)| machine.ended.is_none()).count()
            >= self.quotas.instances
        {
            return Err(CloudError::new(
                "VcpuLimitExceeded",
                "You have requested more vCPU capacity than allowed",
            ));
        }
        let zone = format!("eu-test-1{}", launch.subnet.trim_start_matches("subnet-"));
        let is_sold_out = |(kind, place): &(String, Option<String>)| {
            *kind == launch.instance_type && place.as_ref().is_none_or(|place| *place == zone)
        };
        if self.sold_out.as_ref().is_some_and(is_sold_out) {
            let message =
                "We currently do not have sufficient capacity in the Availability Zone you requested";
            return Err(CloudError::new("InsufficientInstanceCapacity", message));
        }
        let id = self.id("i");
        let [_, a, b, c] = self.made.to_be_bytes();
        let machine = Machine {
            launch: launch.clone(),
            zone,
            ip: Ipv4Addr::new(10, a, b, c),
            volumes: Vec::new(),
            began: now,
            started: now,
            stopped: None,
            ended: self.ends_launches.is_some().then_some(now + DYING),
            failure: self.ends_launches.clone(),
        };
        let made = self.instance(&id, &machine, now);
        self.instances.put(id.clone(), &launch.tags, machine);
        self.tokens.insert(launch.token.clone(), (parameters, id));
        Ok(made)
    }

    fn instance(&self, id: &str, machine: &Machine, at: Instant) -> Instance {
        let state = machine.state(at);
        let attached = machine.volumes.iter().filter(|(_, since)| *since <= at).map(|(id, _)| id.clone());
        Instance {
            id: id.to_owned(),
            state,
            private_ip: (state != InstanceState::Terminated).then_some(machine.ip),
            volumes: attached.collect(),
            launched: self.unix(machine.started),
            ended: machine
                .ended
                .or(machine.stopped)
                .filter(|when| *when <= at && machine.failure.is_none())
                .map(|when| self.unix(when)),
            failure: machine.failure.clone().filter(|_| machine.ended.is_some_and(|when| when <= at)),
            zone: machine.zone.clone(),
            tags: machine.launch.tags.clone(),
        }
    }

    pub(crate) fn instances(&self, filter: &Filter, next: Option<&str>, now: Instant) -> Page<Instance> {
        let at = self.seen_at(now);
        let gone = |machine: &Machine| {
            machine.ended.is_some_and(|ended| at.saturating_duration_since(ended) > VISIBLE)
        };
        let seen = |machine: &Machine| machine.began <= at && !gone(machine);
        self.instances.page(filter, next, self.page, self.cut, |id, machine| {
            seen(machine).then(|| self.instance(id, machine, at))
        })
    }

    /// What has just been made is not found by its id either for as long as listings lag.
    fn machine(&mut self, id: &str, now: Instant) -> Result<&mut Machine, CloudError> {
        let at = self.seen_at(now);
        let found = self.instances.get_mut(id).filter(|machine| machine.began <= at);
        found.ok_or_else(|| not_found("InvalidInstanceID", id))
    }

    pub(crate) fn start(&mut self, id: &str, now: Instant) -> Result<(), CloudError> {
        let machine = self.machine(id, now)?;
        match machine.state(now) {
            InstanceState::Stopped => {
                machine.stopped = None;
                machine.started = now;
                Ok(())
            }
            InstanceState::Pending | InstanceState::Running => Ok(()),
            state => {
                Err(CloudError::new("IncorrectInstanceState", format!("The instance '{id}' is {state:?}")))
            }
        }
    }

    pub(crate) fn stop(&mut self, id: &str, now: Instant) {
        if let Some(machine) = self.instances.get_mut(id) {
            machine.stopped = Some(now);
        }
    }

    /// Ends it; ending it again changes nothing. Its volumes stay, its address leads nowhere.
    pub(crate) fn terminate(&mut self, id: &str, now: Instant) -> Result<(), CloudError> {
        let machine = self.machine(id, now)?;
        machine.ended.get_or_insert(now);
        for (_, kept) in self.addresses.iter_mut().filter(|(_, kept)| kept.it.instance.as_deref() == Some(id))
        {
            kept.it.instance = None;
        }
        Ok(())
    }

    /// Whether the instance has let go of what it used.
    fn has_let_go(&self, id: &str, now: Instant) -> bool {
        self.instances.get(id).is_none_or(|machine| machine.state(now) == InstanceState::Terminated)
    }

    /// Instances that run now, with their volumes and when they started.
    pub(super) fn running(&self, now: Instant) -> impl Iterator<Item = Running<'_>> {
        self.instances.iter().filter(move |(_, machine)| machine.state(now) == InstanceState::Running).map(
            |(id, machine)| Running {
                id,
                volumes: machine.volumes.iter().map(|(id, _)| id.as_str()).collect(),
                started: machine.started,
            },
        )
    }

    pub(super) fn instances_of(&self, site: &str, part: &str) -> Vec<String> {
        let is = |tags: &Tags, key: &str, value: &str| tags.get(key).is_some_and(|v| v == value);
        let wanted = |machine: &Machine| {
            let tags = &machine.launch.tags;
            machine.ended.is_none() && is(tags, "wpaas:site", site) && is(tags, "wpaas:part", part)
        };
        self.instances.iter().filter(|(_, machine)| wanted(machine)).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn launch(&self, id: &str) -> Option<Launch> {
        self.instances.get(id).map(|machine| machine.launch.clone())
    }

    pub(super) fn launched(&self) -> String {
        let told = self.instances.iter().map(|(_, machine)| {
            let mut script = Vec::new();
            GzDecoder::new(&machine.launch.user_data[..]).read_to_end(&mut script).ok();
            format!("{:?} {}\n", machine.launch, String::from_utf8_lossy(&script))
        });
        told.collect()
    }

    /// How many of each kind live: instances, volumes, groups, addresses.
    pub(crate) fn living(&self) -> [usize; 4] {
        [
            self.instances.iter().filter(|(_, machine)| machine.ended.is_none()).count(),
            self.volumes.iter().filter(|(_, disk)| disk.deleted.is_none()).count(),
            self.groups.iter().filter(|(_, kept)| kept.lives()).count(),
            self.addresses.iter().filter(|(_, kept)| kept.lives()).count(),
        ]
    }
}

/// An instance that runs.
pub(super) struct Running<'a> {
    pub id: &'a str,
    pub volumes: Vec<&'a str>,
    pub started: Instant,
}
