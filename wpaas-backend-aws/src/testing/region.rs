//! EC2's state machine, as its documentation tells it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::call::name;
use super::shelf::Shelf;
use crate::cloud::{Address, CloudError, Group, Tags};
use crate::limiter::{Bucket, Call, Quota};

mod machines;
mod network;
mod volumes;

use machines::Machine;
pub(super) use machines::Running;

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

    pub(super) fn tags_of(&self, id: &str) -> Option<&Tags> {
        let instance = self.instances.get(id).map(|machine| &machine.launch.tags);
        let volume = || self.volumes.get(id).map(|disk| &disk.tags);
        let group = || self.groups.get(id).map(|kept| &kept.it.tags);
        let address = || self.addresses.get(id).map(|kept| &kept.it.tags);
        instance.or_else(volume).or_else(group).or_else(address)
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
