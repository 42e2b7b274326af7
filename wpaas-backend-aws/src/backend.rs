use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::{OnceCell, broadcast};
use tokio::time::Instant;
use wpaas_core::code::ReleaseStore;
use wpaas_core::converge::{
    Applied, Backend, BackendError, Capabilities, Coverage, Ends, Observation, Patience, Run, Scope, Step,
    hints,
};
use wpaas_core::id::SiteId;
use wpaas_core::secret::Secrets;

use crate::cloud::{Bucket, CloudError, Ec2, Image, InstanceState, When};
use crate::config::{AwsConfig, SILENT};
use crate::error::transient;
use crate::gate::Cloud;
use crate::key::Keys;
use crate::limiter::{Call, Urgency};
use crate::listing::Listing;
use crate::reports::{Heard, Said};
use crate::sightings::Sightings;
use crate::{objects, runs, tag, user_data};

/// Runs sites on EC2, with S3 for what outlives instances.
///
/// What it remembers between calls saves work and can be lost at any time.
#[derive(Debug, Clone)]
pub struct AwsBackend {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub config: AwsConfig,
    pub keys: Keys,
    pub cloud: Cloud,
    pub secrets: Arc<dyn Secrets>,
    pub releases: Arc<dyn ReleaseStore>,
    sightings: Mutex<Sightings>,
    pub heard: Mutex<Heard>,
    /// Sites worth a look.
    pub hints: broadcast::Sender<SiteId>,
    /// Who changes the list of a site's nodes; a site has one of these, which it may share.
    turns: [tokio::sync::Mutex<()>; 16],
    /// Whether the nodes' set-up is in the bucket.
    pub set_up: AtomicBool,
    /// The AMI, once it was looked at.
    image: OnceCell<Image>,
    ends: Arc<dyn Ends>,
}

impl AwsBackend {
    /// A backend over these services, with where it gets secrets and releases when a step refers to them, and where
    /// it leaves the end of a volume before that goes.
    #[must_use]
    pub fn new(
        config: AwsConfig,
        ec2: Arc<dyn Ec2>,
        bucket: Arc<dyn Bucket>,
        secrets: Arc<dyn Secrets>,
        releases: Arc<dyn ReleaseStore>,
        ends: Arc<dyn Ends>,
    ) -> Self {
        let keys = Keys::new(&config.installation, &config.role_id);
        let inner = Inner {
            keys,
            cloud: Cloud::new(ec2, bucket),
            sightings: Mutex::new(Sightings::lagging(config.listing_lag)),
            config,
            secrets,
            releases,
            heard: Mutex::default(),
            hints: broadcast::channel(1024).0,
            turns: Default::default(),
            set_up: AtomicBool::new(false),
            image: OnceCell::new(),
            ends,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Asks for one thing of each kind that the configuration names and every site needs: the AMI, instances, the
    /// bucket, in which it leaves the nodes' set-up, so that an image can be baked before there are sites. What is wrong
    /// with credentials, permissions or names is said here first.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with what to do about it.
    pub async fn check(&self) -> Result<(), BackendError> {
        self.inner.check().await
    }

    /// What nodes have said since this was called last, where they report into the bucket. One listing of a
    /// thousand nodes a page, and a read of each report that is new. `now` is the time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// When the bucket can't be read.
    pub async fn reports(&self, now: i64) -> Result<Vec<Said>, BackendError> {
        self.inner.reports(now).await
    }

    /// From now on so many servers, this one among them, share what AWS allows the account.
    pub fn share(&self, servers: NonZeroU32) {
        self.inner.cloud.share(servers);
    }

    /// The addresses of all sites that have one, as far as known; `None` before everything was listed once.
    #[must_use]
    pub fn addresses(&self) -> Option<BTreeMap<SiteId, Ipv4Addr>> {
        self.inner.sightings().addresses()
    }
}

#[async_trait]
impl Backend for AwsBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "aws",
            real: true,
            // What waits for the limiter waits for seconds with so few.
            concurrency: 24,
            // Nothing tells of what happens in between.
            resync: Duration::from_secs(15),
            listing_lag: self.inner.config.listing_lag,
            // EC2 calls running what has never booted, and what hangs.
            patience: Some(Patience { unheard: self.inner.config.boot_patience, silent: SILENT }),
        }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.inner.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.inner.apply(step).await
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        hints(self.inner.hints.subscribe())
    }
}

impl Inner {
    /// Whether listings show all that other servers have made for this step's site before it was this one's.
    pub(crate) fn is_settled(&self, step: &Step) -> bool {
        self.sightings().is_settled(step.site, step.epoch, Instant::now())
    }

    pub(crate) fn sightings(&self) -> MutexGuard<'_, Sightings> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn turn(&self, site: SiteId) -> tokio::sync::MutexGuard<'_, ()> {
        let [.., last] = site.uuid().into_bytes();
        self.turns[usize::from(last) % self.turns.len()].lock().await
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let listing = self.list(scope).await?;
        let ended: BTreeSet<_> = listing
            .instances
            .iter()
            .filter(|found| found.it.state == InstanceState::Terminated)
            .map(|found| found.it.id.clone())
            .collect();
        self.forget(&ended, &listing).await;
        let objects = objects::objects(&listing, &self.config.installation);
        let belief = self.sightings().listed(scope, objects, &ended, Instant::now());
        let complete = belief.complete && listing.unreadable == 0;
        let coverage = if complete { Coverage::Complete } else { Coverage::Partial };
        Ok(Observation { coverage, objects: belief.objects, runs: runs::runs(&listing) })
    }

    /// Removes the files of instances that somebody else ended, as there are secrets in them. What can't be removed now
    /// is with the next listing.
    async fn forget(&self, ended: &BTreeSet<String>, listing: &Listing) {
        let left = ended.intersection(&listing.filed);
        let keys: Vec<_> = left.flat_map(|id| [self.keys.node(id), self.keys.report(id)]).collect();
        for keys in keys.chunks(1000) {
            if let Err(error) = self.cloud.bucket.delete(keys).await {
                tracing::warn!(%error, "files of instances that have ended can't be removed now");
            }
        }
    }

    async fn check(&self) -> Result<(), BackendError> {
        let failed = |error: CloudError, what: &str| error.because(what);
        self.image(Urgency::Repair).await.map_err(|error| failed(error, "looking for aws.image"))?;
        let none = tag::of_site(&self.config.installation, SiteId::new());
        let ec2 = self.cloud.ec2(Call::DescribeInstances, Urgency::Repair).await;
        ec2.instances(&none, None).await.map_err(|error| failed(error, "listing instances"))?;
        let setup = self.cloud.bucket.list(&self.keys.folder("setup"), None).await;
        setup.map_err(|error| failed(error, "listing aws.bucket"))?;
        self.store_setup().await.map_err(|error| failed(error, "storing the nodes' set-up"))
    }

    /// Puts the nodes' set-up into the bucket, once.
    pub(crate) async fn store_setup(&self) -> Result<(), CloudError> {
        if self.set_up.load(Ordering::Relaxed) {
            return Ok(());
        }
        let key = user_data::setup_key(&self.config.installation);
        self.cloud.bucket.put(&key, user_data::setup().0.clone(), When::Always).await?;
        self.set_up.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The AMI, which is looked at once: an AMI never changes.
    pub(crate) async fn image(&self, urgency: Urgency) -> Result<&Image, CloudError> {
        let look =
            || async { self.cloud.ec2(Call::DescribeImages, urgency).await.image(&self.config.image).await };
        self.image.get_or_try_init(look).await
    }

    /// Leaves the end of what is about to go: afterwards nobody can tell it.
    pub(crate) async fn tell_end(&self, site: SiteId, run: Option<Run>) -> Result<(), BackendError> {
        let Some(run) = run else { return Ok(()) };
        let told = self.ends.ended(site, run).await;
        told.map_err(|error| transient("the end of what is to go can't be kept now").caused_by(error))
    }

    pub(crate) async fn list(&self, scope: &Scope) -> Result<Listing, BackendError> {
        let listing = Listing::fetch(&self.cloud, &self.keys, &self.config.installation, scope).await;
        listing.map_err(|error| error.because("listing what there is"))
    }
}
