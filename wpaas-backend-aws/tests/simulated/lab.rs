//! Simulated AWS, the backend over it, and a converger over that; the nodes live on, and their reports are read.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wpaas_backend_aws::testing::{Fakes, Simulator, config};
use wpaas_backend_aws::{AwsBackend, ZoneKeeper};
use wpaas_core::claim::Tenure;
use wpaas_core::converge::{
    Converger, Ends, Intent, Intents, IntentsError, Part, Run, RunIntent, Verdict, Wanted,
};
use wpaas_core::fleet::NameService as _;
use wpaas_core::id::SiteId;
use wpaas_core::metering::Look;
use wpaas_core::name::Hostname;
use wpaas_core::site::{ConditionKind, SiteStatus, Truth};

use crate::front::Front;

/// Intents in memory.
#[derive(Debug)]
pub struct Book {
    wanted: Mutex<BTreeMap<SiteId, Intent>>,
    /// What stays of sites that are purged, so that what is seen of them late is removed, too.
    tombstones: Mutex<BTreeMap<SiteId, Intent>>,
    found: Mutex<BTreeMap<SiteId, SiteStatus>>,
    hints: broadcast::Sender<SiteId>,
    looks: Mutex<Vec<Look>>,
    ends: Mutex<Vec<(SiteId, Run)>>,
}

#[async_trait]
impl Ends for Book {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        self.ends.lock().unwrap().push((site, run));
        Ok(())
    }
}

#[async_trait]
impl Intents for Book {
    async fn page(&self, after: Option<SiteId>, limit: usize) -> Result<Vec<Intent>, IntentsError> {
        let wanted = self.wanted.lock().unwrap();
        Ok(wanted.values().filter(|intent| Some(intent.site) > after).take(limit).cloned().collect())
    }

    async fn get(&self, site: SiteId) -> Result<Option<Intent>, IntentsError> {
        let wanted = self.wanted.lock().unwrap().get(&site).cloned();
        Ok(wanted.or_else(|| self.tombstones.lock().unwrap().get(&site).cloned()))
    }

    async fn record(&self, site: SiteId, status: &SiteStatus) -> Result<(), IntentsError> {
        self.found.lock().unwrap().insert(site, status.clone());
        Ok(())
    }

    async fn judged(&self, _: SiteId, _: &Verdict) -> Result<(), IntentsError> {
        Ok(())
    }

    async fn metered(&self, looks: Vec<Look>) -> Result<(), IntentsError> {
        self.looks.lock().unwrap().extend(looks);
        Ok(())
    }

    async fn purged(&self, site: SiteId) -> Result<(), IntentsError> {
        let gone = self.wanted.lock().unwrap().remove(&site);
        self.tombstones.lock().unwrap().extend(gone.map(|intent| (site, intent)));
        self.found.lock().unwrap().remove(&site);
        Ok(())
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        let hints = self.hints.subscribe();
        futures::stream::unfold(hints, |mut hints| async { Some((hints.recv().await.ok()?, hints)) }).boxed()
    }
}

/// All of it; what runs in it ends with it.
pub struct Lab {
    pub aws: Simulator,
    pub book: Arc<Book>,
    /// Of this server.
    epoch: u64,
    _tasks: JoinSet<()>,
}

impl Lab {
    /// A server over this account, which may hold anything.
    pub async fn start(aws: &Simulator) -> Self {
        Self::of_epoch(aws, 1).await
    }

    async fn of_epoch(aws: &Simulator, epoch: u64) -> Self {
        let book = Book {
            wanted: Mutex::default(),
            tombstones: Mutex::default(),
            found: Mutex::default(),
            hints: broadcast::channel(8192).0,
            looks: Mutex::default(),
            ends: Mutex::default(),
        };
        Self::with(aws, Arc::new(book), epoch).await
    }

    /// Another server, which finds what is wanted as this one left it.
    pub async fn restart(self) -> Self {
        let epoch = self.epoch;
        self.again(epoch).await
    }

    async fn again(self, epoch: u64) -> Self {
        let (aws, book) = (self.aws.clone(), self.book.clone());
        drop(self);
        Self::with(&aws, book, epoch).await
    }

    /// Another server that has run for as long, and tends nothing.
    pub async fn beside(&self) -> Self {
        Self::of_epoch(&self.aws, self.epoch + 1).await
    }

    /// The other server tends all of it from now on: what it does is of a newer epoch.
    pub fn give_up_to(self, other: &Self) {
        let wanted = self.book.wanted.lock().unwrap().clone();
        drop(self);
        for (_, intent) in wanted {
            other.want(intent);
        }
    }

    /// Another server takes over: all that it does is of a newer epoch.
    pub async fn take_over(self) -> Self {
        let epoch = self.epoch + 1;
        self.again(epoch).await
    }

    async fn with(aws: &Simulator, book: Arc<Book>, epoch: u64) -> Self {
        let Front { ec2, bucket, zone } = Front::of(aws).await;
        let backend = AwsBackend::new(config(), ec2, bucket, Arc::new(Fakes), Arc::new(Fakes), book.clone());
        let (converger, handle) = Converger::new(Arc::new(backend.clone()), book.clone());
        let converger = converger.tending(Tenure::believing(epoch));
        let mut tasks = JoinSet::new();
        tasks.spawn(converger.run(std::future::pending::<()>()));
        let keeper = ZoneKeeper::new(zone, "www.example.com");
        tasks.spawn(keep_names(backend.clone(), keeper));
        let world = aws.clone();
        tasks.spawn(async move {
            loop {
                sleep(Duration::from_secs(2)).await;
                world.live();
                for said in backend.reports(world.now()).await.unwrap_or_default() {
                    handle.report(said.report);
                }
            }
        });
        Self { aws: aws.clone(), book, epoch, _tasks: tasks }
    }

    /// Wants a new site.
    pub fn site(&self, run: RunIntent) -> SiteId {
        let site = SiteId::new();
        self.want(Intent { site, generation: 1, version: 1, epoch: 1, wanted: Wanted::Run(run) });
        site
    }

    fn want(&self, intent: Intent) {
        let site = intent.site;
        self.book.wanted.lock().unwrap().insert(site, intent);
        let _nobody = self.book.hints.send(site);
    }

    /// Wants something else of it.
    pub fn change(&self, site: SiteId, wanted: Wanted) {
        let mut intent = self.book.wanted.lock().unwrap()[&site].clone();
        intent.generation += 1;
        intent.version += 1;
        intent.wanted = wanted;
        self.book.found.lock().unwrap().remove(&site);
        self.want(intent);
    }

    pub fn found(&self, site: SiteId) -> Option<SiteStatus> {
        self.book.found.lock().unwrap().get(&site).cloned()
    }

    /// What a condition says, and whether it holds.
    pub fn condition(&self, site: SiteId, kind: ConditionKind) -> Option<(Truth, String)> {
        let found = self.found(site)?;
        let condition = found.conditions.into_iter().find(|condition| condition.kind == kind)?;
        Some((condition.status, condition.message.into_owned()))
    }

    /// Whether the site is as wanted, and waits for nothing.
    pub fn is_ready(&self, site: SiteId) -> bool {
        let generation = self.book.wanted.lock().unwrap().get(&site).map(|intent| intent.generation);
        self.found(site).is_some_and(|status| {
            let is = |kind, truth| status.conditions.iter().any(|c| c.kind == kind && c.status == truth);
            is(ConditionKind::Ready, Truth::True)
                && is(ConditionKind::Degraded, Truth::False)
                && is(ConditionKind::Progressing, Truth::False)
                && status.waiting.is_empty()
                && Some(status.observed_generation) == generation
        })
    }

    pub fn is_gone(&self, site: SiteId) -> bool {
        !self.book.wanted.lock().unwrap().contains_key(&site)
    }

    /// Waits, in virtual time.
    pub async fn until(&self, what: &str, minutes: u64, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(60 * minutes);
        while !holds(self) {
            assert!(
                Instant::now() < end,
                "{what}: not after {minutes} minutes: {:#?} {:#?}",
                self.book.found.lock().unwrap(),
                self.aws.calls()
            );
            sleep(Duration::from_secs(1)).await;
        }
    }

    pub async fn ready(&self, site: SiteId) {
        self.until("ready", 30, |lab| lab.is_ready(site)).await;
    }

    /// What was metered last of a site that was seen whole.
    pub fn metered(&self, site: SiteId) -> Vec<Run> {
        let looks = self.book.looks.lock().unwrap();
        let of_site = looks.iter().rev().find(|look| look.site == site && look.complete);
        of_site.map(|look| look.runs.clone()).unwrap_or_default()
    }

    /// The ends that were left of a site.
    pub fn ends(&self, site: SiteId) -> Vec<Run> {
        let ends = self.book.ends.lock().unwrap();
        ends.iter().filter(|(of, _)| *of == site).map(|(_, run)| run.clone()).collect()
    }

    /// The instances of this part that have not ended.
    pub fn instances(&self, site: SiteId, part: Part) -> Vec<String> {
        self.aws.instances_of(&site.to_string(), &part.to_string())
    }
}

/// The sites' names, as the server keeps them: when they are others than before, now and then, and soon after a failure.
async fn keep_names(backend: AwsBackend, keeper: ZoneKeeper) {
    let (mut kept, mut next) = (None, Instant::now());
    loop {
        sleep(Duration::from_secs(1)).await;
        let wanted = backend.addresses().map(|all| all.into_iter().map(record).collect::<BTreeMap<_, _>>());
        let Some(wanted) = wanted.filter(|wanted| kept.as_ref() != Some(wanted) || next <= Instant::now())
        else {
            continue;
        };
        let found = keeper.keep(&wanted).await;
        let again = if found.is_ok() { 300 } else { 10 };
        (kept, next) = (Some(wanted), Instant::now() + Duration::from_secs(again));
    }
}

fn record((site, ip): (SiteId, Ipv4Addr)) -> (Hostname, IpAddr) {
    (format!("{site}.www.example.com").replace('_', "-").parse().unwrap(), ip.into())
}
