//! Machines, which EC2 calls instances.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use flate2::read::GzDecoder;
use tokio::time::Instant;

use super::{IMAGE, Region, not_found};
use crate::cloud::{CloudError, Filter, Image, Instance, InstanceState, Launch, Page, Tags};

const PENDING: Duration = Duration::from_secs(20);
const SHUTTING_DOWN: Duration = Duration::from_secs(30);
/// How long after its launch EC2 ends by itself what it can't start.
const DYING: Duration = Duration::from_secs(5);
/// How long what has ended is still listed.
const VISIBLE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) launch: Launch,
    pub(super) zone: String,
    ip: Ipv4Addr,
    pub(super) volumes: Vec<(String, Instant)>,
    /// When it was launched or last started, told to stop, and told to end.
    began: Instant,
    started: Instant,
    stopped: Option<Instant>,
    pub(super) ended: Option<Instant>,
    /// Why EC2 ends it by itself.
    failure: Option<CloudError>,
}

impl Machine {
    pub(super) fn state(&self, at: Instant) -> InstanceState {
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

impl Region {
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
        self.instances.page(filter, next, self.page, |id, machine| {
            seen(machine).then(|| self.instance(id, machine, at))
        })
    }

    /// What has just been made is not found by its id either for as long as listings lag.
    pub(super) fn machine(&mut self, id: &str, now: Instant) -> Result<&mut Machine, CloudError> {
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
    pub(super) fn has_let_go(&self, id: &str, now: Instant) -> bool {
        self.instances.get(id).is_none_or(|machine| machine.state(now) == InstanceState::Terminated)
    }

    /// Instances that run now, with their volumes and when they started.
    pub(in crate::testing) fn running(&self, now: Instant) -> impl Iterator<Item = Running<'_>> {
        self.instances.iter().filter(move |(_, machine)| machine.state(now) == InstanceState::Running).map(
            |(id, machine)| Running {
                id,
                volumes: machine.volumes.iter().map(|(id, _)| id.as_str()).collect(),
                started: machine.started,
            },
        )
    }

    pub(in crate::testing) fn instances_of(&self, site: &str, part: &str) -> Vec<String> {
        let is = |tags: &Tags, key: &str, value: &str| tags.get(key).is_some_and(|v| v == value);
        let wanted = |machine: &Machine| {
            let tags = &machine.launch.tags;
            machine.ended.is_none() && is(tags, "wpaas:site", site) && is(tags, "wpaas:part", part)
        };
        self.instances.iter().filter(|(_, machine)| wanted(machine)).map(|(id, _)| id.clone()).collect()
    }

    pub(in crate::testing) fn launch(&self, id: &str) -> Option<Launch> {
        self.instances.get(id).map(|machine| machine.launch.clone())
    }

    pub(in crate::testing) fn launches(&self) -> Vec<Launch> {
        self.instances.iter().map(|(_, machine)| machine.launch.clone()).collect()
    }

    pub(in crate::testing) fn launched(&self) -> String {
        let told = self.instances.iter().map(|(_, machine)| {
            let mut script = Vec::new();
            GzDecoder::new(&machine.launch.user_data[..]).read_to_end(&mut script).ok();
            format!("{:?} {}\n", machine.launch, String::from_utf8_lossy(&script))
        });
        told.collect()
    }
}

/// An instance that runs.
pub(in crate::testing) struct Running<'a> {
    pub id: &'a str,
    pub volumes: Vec<&'a str>,
    pub started: Instant,
}
