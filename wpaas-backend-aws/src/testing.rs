//! A simulator of EC2, S3 and Route 53 with the semantics that AWS documents, for tests without an account.
//!
//! One state machine ([`Simulator`]) in virtual time (tokio's clock, which a test may pause) that implements the port
//! of [`crate::cloud`]; in front of it, what the SDK speaks to (`Simulator::configuration`, with the SDK's features).
//! Its nodes do what nodes report of themselves ([`Simulator::live`]); [`Life`] has them do so where somebody else
//! stands in for AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::{CloudError, Launch, Tags};
use crate::config::{AwsConfig, InstanceTypes, Reports, Subnet};

mod bucket;
mod call;
mod fakes;
mod faults;
mod life;
#[cfg(all(feature = "ec2", feature = "route53", feature = "s3"))]
pub mod moto;
mod nodes;
mod policy;
mod port;
mod region;
mod shelf;
#[cfg(all(feature = "ec2", feature = "route53", feature = "s3"))]
mod wire;
mod zone;

pub use fakes::Fakes;
pub use faults::Fault;
pub use life::Life;
pub use policy::{Ask, Policy};
pub use region::Quotas;
#[cfg(all(feature = "ec2", feature = "route53", feature = "s3"))]
pub use wire::ZONE;

/// AWS as far as the backend sees it: one region, one bucket, one zone.
#[derive(Debug, Clone)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub region: region::Region,
    pub bucket: bucket::Store,
    pub zone: zone::Records,
    pub nodes: nodes::Nodes,
    faults: faults::Faults,
    /// Whether the listing that is asked for ends early.
    cut: bool,
    /// How long a call takes.
    latency: Duration,
    calls: BTreeMap<&'static str, u64>,
    throttled: u64,
}

impl Default for Simulator {
    fn default() -> Self {
        Self::new(Quotas::default())
    }
}

impl Simulator {
    /// An empty account with these quotas.
    #[must_use]
    pub fn new(quotas: Quotas) -> Self {
        let now = Instant::now();
        let state = State {
            region: region::Region::new(quotas, now),
            bucket: bucket::Store::default(),
            zone: zone::Records::new(now),
            nodes: nodes::Nodes::default(),
            faults: faults::Faults::default(),
            cut: false,
            latency: Duration::from_millis(50),
            calls: BTreeMap::new(),
            throttled: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// How long listings lag behind, and what was made is not found by its id.
    pub fn set_lag(&self, lag: Duration) {
        self.lock().region.lag = lag;
    }

    /// Listings of EC2 have so many things a page; a thousand at first.
    pub fn set_pages_of(&self, things: usize) {
        self.lock().region.page = things;
    }

    /// The next call of this name meets this fault.
    pub fn fail(&self, call: &str, fault: Fault) {
        self.lock().faults.push(call, fault);
    }

    /// No call meets a fault that [`Simulator::fail`] has planned.
    pub fn forget_faults(&self) {
        self.lock().faults.forget();
    }

    /// How many of the faults that were planned for this call have met it.
    #[must_use]
    pub fn faults_met(&self, call: &str) -> u64 {
        self.lock().faults.met(call)
    }

    /// From now on this call is refused with this code.
    pub fn refuse(&self, call: &str, code: &'static str) {
        self.lock().faults.refuse(call, code);
    }

    /// No instance of this type is left, in this zone or in none.
    pub fn sell_out(&self, instance_type: &str, zone: Option<&str>) {
        self.lock().region.sold_out = Some((instance_type.to_owned(), zone.map(ToOwned::to_owned)));
    }

    /// From now on EC2 ends by itself what is launched, for this reason; or nothing any more.
    pub fn end_launches(&self, reason: Option<CloudError>) {
        self.lock().region.ends_launches = reason;
    }

    /// This call is not refused any more.
    pub fn permit(&self, call: &str) {
        self.lock().faults.permit(call);
    }

    /// From now on calls meet faults at random, one in this many; none with 0. The seed decides which.
    pub fn storm(&self, one_in: u32, seed: u64) {
        self.lock().faults.storm(one_in, seed);
    }

    /// How often each call was made.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.lock().calls.clone()
    }

    /// Calls that a bucket had no room for.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.lock().throttled
    }

    /// Route 53 works on somebody else's change of the zone for so long from now.
    pub fn work_on_a_change(&self, time: Duration) {
        self.lock().zone.work_until(Instant::now() + time);
    }

    /// The time in seconds since 1970, as the simulator tells it.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.lock().region.unix(Instant::now())
    }

    /// Somebody ends an instance behind our back.
    pub fn terminate(&self, id: &str) {
        let mut state = self.lock();
        state.region.terminate(id, Instant::now()).ok();
    }

    /// Somebody stops an instance behind our back.
    pub fn stop(&self, id: &str) {
        self.lock().region.stop(id, Instant::now());
    }

    /// An instance hangs: EC2 says that it runs, it says nothing, and nobody gets an answer from it.
    pub fn freeze(&self, id: &str) {
        self.lock().nodes.frozen.insert(id.to_owned());
    }

    /// From now on what boots hangs before it has said a word; or boots again.
    pub fn break_boots(&self, broken: bool) {
        self.lock().nodes.boots_fail = broken;
    }

    /// Somebody deletes the volumes of an instance behind our back, which ends with them.
    pub fn lose_volumes(&self, id: &str) {
        self.lock().region.lose_volumes(id, Instant::now());
    }

    /// What runs does what it would do by now, and says so into the bucket.
    pub fn live(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let State { region, bucket, nodes, .. } = &mut *state;
        nodes.live(region, bucket, now);
    }

    /// How many instances, volumes, security groups and addresses there are that have not ended.
    #[must_use]
    pub fn living(&self) -> [usize; 4] {
        self.lock().region.living()
    }

    /// The instances of a site's part that have not ended.
    #[must_use]
    pub fn instances_of(&self, site: &str, part: &str) -> Vec<String> {
        self.lock().region.instances_of(site, part)
    }

    /// The instance that a site's address leads to.
    #[must_use]
    pub fn leads_to(&self, site: &str) -> Option<String> {
        self.lock().region.leads_to(site)
    }

    /// All that `RunInstances` was ever told, with what user data is unpacked.
    #[must_use]
    pub fn launched(&self) -> String {
        self.lock().region.launched()
    }

    /// What every instance that ever was was made with.
    #[must_use]
    pub fn launches(&self) -> Vec<Launch> {
        self.lock().region.launches()
    }

    /// What an instance was made with.
    #[must_use]
    pub fn launch(&self, id: &str) -> Option<Launch> {
        self.lock().region.launch(id)
    }

    /// What an instance was given to boot with.
    #[must_use]
    pub fn user_data(&self, id: &str) -> Option<Vec<u8>> {
        self.launch(id).map(|launch| launch.user_data)
    }

    /// Every object of the bucket.
    #[must_use]
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.lock();
        let all = state.bucket.keys().filter_map(|key| Some((key.clone(), state.bucket.get(key)?.content)));
        all.collect()
    }

    /// The tags of an instance, a volume, a security group or an address, whether it has ended or not.
    #[must_use]
    pub fn tags_of(&self, id: &str) -> Option<Tags> {
        self.lock().region.tags_of(id).cloned()
    }

    /// How many A records there are.
    #[must_use]
    pub fn names(&self) -> usize {
        self.lock().zone.names()
    }

    /// The texts of the TXT record of this name.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.lock().zone.texts(name)
    }

    /// Keys in the bucket.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.lock().bucket.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A configuration for tests.
#[must_use]
pub fn config() -> AwsConfig {
    let subnet = |zone: &str| Subnet { id: format!("subnet-{zone}"), zone: format!("eu-test-1{zone}") };
    let types = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    AwsConfig {
        installation: "lab".to_owned(),
        region: "eu-test-1".to_owned(),
        vpc: "vpc-1".to_owned(),
        subnets: ["a", "b", "c"].map(subnet).to_vec(),
        bucket: "lab-bucket".to_owned(),
        profile: "wpaas-node".to_owned(),
        role_id: "AROATEST".to_owned(),
        image: region::IMAGE.to_owned(),
        endpoint: None,
        types: InstanceTypes {
            database: types(["t4g.small", "t4g.medium"]),
            wordpress: types(["t4g.small", "t4g.medium"]),
            gateway: types(["t4g.micro", "t4g.medium"]),
        },
        database_gib: 8,
        reports: Reports::Bucket,
        listing_lag: Duration::from_secs(120),
        boot_patience: Duration::from_secs(600),
    }
}
