//! Sites as instances of EC2.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use wpaas_backend_aws::sdk::{self, SdkBucket, SdkEc2, SdkZone};
use wpaas_backend_aws::{AwsBackend, AwsConfig, InstanceTypes, Reports, Said, Subnet, ZoneKeeper};
use wpaas_core::claim::{Peers, servers};
use wpaas_core::converge::ConvergerHandle;
use wpaas_core::fleet::NameService;

use super::{BackendStart, Started, start_converger};
use crate::StartError;
use crate::autoscale::Loads;
use crate::certificates::Texts;
use crate::config::{AwsSettings, AwsSubnet, AwsTypes};
use crate::problem::chain;
use crate::watch::Watch;

/// Between two tries to use what the configuration names.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two readings of what nodes have said in the bucket.
const LISTEN: Duration = Duration::from_secs(2);

/// Starts the backend; whether what the configuration names can be used is found out in the background, as AWS may be
/// away for a while.
pub async fn start(mut start: BackendStart<'_>) -> Result<Started, StartError> {
    let Some(settings) = &start.settings.aws else {
        return Err(StartError::Backend("[aws] is not configured".into()));
    };
    let config = config(settings);
    let by_bucket = config.reports == Reports::Bucket;
    let aws = sdk::configuration(&settings.region, settings.endpoint.as_deref()).await;
    let bucket = Arc::new(SdkBucket::new(&aws, &settings.bucket));
    let secrets = Arc::new(start.service.secrets());
    let (releases, ends) = (Arc::new(start.releases.clone()), Arc::new(start.service.intents()));
    let backend = AwsBackend::new(config, Arc::new(SdkEc2::new(&aws)), bucket, secrets, releases, ends);
    let sites_below = format!("www.{}", start.settings.domain);
    let keeper = |zone: &String| ZoneKeeper::new(Arc::new(SdkZone::new(&aws, zone)), &sites_below);
    let keeper = settings.zone.as_ref().map(keeper);
    start.watch.preparing(Some("AWS was not asked yet".to_owned()));
    let converger = start_converger(Arc::new(backend.clone()), &mut start);
    let (watch, stopping) = (start.watch.clone(), start.tasks.stopping());
    let checked = backend.clone();
    start.tasks.spawn("AWS check", async move {
        stopping.run_until_cancelled(check(checked, watch)).await;
        stopping.cancelled().await;
    });
    let stopping = start.tasks.stopping();
    let shared = share(backend.clone(), keeper.clone(), start.peers.clone());
    start.tasks.spawn("AWS limits", async move {
        stopping.run_until_cancelled(shared).await;
    });
    if by_bucket {
        let (stopping, told) = (start.tasks.stopping(), converger.clone());
        let loads = start.loads.clone();
        start.tasks.spawn("reports in the bucket", async move {
            stopping.run_until_cancelled(listen(backend, told, loads)).await;
        });
    }
    let names = keeper.clone().map(|keeper| Arc::new(keeper) as Arc<dyn NameService>);
    let texts = keeper.map(|keeper| Arc::new(HostedTexts(keeper)) as Arc<dyn Texts>);
    Ok(Started { converger, simulated: None, fleet: None, names, texts })
}

/// Texts in the hosted zone.
#[derive(Debug)]
struct HostedTexts(ZoneKeeper);

#[async_trait]
impl Texts for HostedTexts {
    async fn publish(&self, name: &str, text: &str) -> Result<(), String> {
        self.0.publish(name, text).await.map_err(|error| chain(&error))
    }

    async fn withdraw(&self, name: &str, text: &str) {
        if let Err(error) = self.0.withdraw(name, text).await {
            tracing::warn!(why = chain(&error), name, "a text stays in the zone until the next of its name");
        }
    }
}

/// Until all that the configuration names can be used, the server is not ready, and says why.
async fn check(backend: AwsBackend, watch: Watch) {
    let mut said = String::new();
    while let Err(error) = backend.check().await {
        let why = chain(&error);
        if why != said {
            tracing::warn!(why, "AWS can't be used as it is configured");
        }
        watch.preparing(Some(why.clone()));
        said = why;
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!("AWS can be used as it is configured");
    watch.preparing(None);
}

/// Keeps to this server's part of what AWS allows.
async fn share(backend: AwsBackend, keeper: Option<ZoneKeeper>, mut peers: Peers) {
    loop {
        let servers = servers(&peers.borrow_and_update());
        backend.share(servers);
        if let Some(keeper) = &keeper {
            keeper.share(servers);
        }
        if peers.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Passes on what nodes say.
async fn listen(backend: AwsBackend, converger: ConvergerHandle, loads: Loads) {
    let mut said = None;
    loop {
        let now = Timestamp::now();
        let trouble = match backend.reports(now.as_second()).await {
            Ok(all) => {
                for Said { report, load } in all {
                    loads.saw(report.site, report.part, load, now);
                    converger.report(report);
                }
                None
            }
            Err(error) => Some(chain(&error)),
        };
        if trouble != said
            && let Some(why) = &trouble
        {
            tracing::warn!(why, "what nodes say can't be read");
        }
        said = trouble;
        // Soon after a failure, too: what a node said counts for seconds.
        tokio::time::sleep(LISTEN).await;
    }
}

/// What the configuration's file says, as the backend takes it.
pub fn config(settings: &AwsSettings) -> AwsConfig {
    let AwsSettings {
        installation,
        region,
        vpc,
        subnets,
        bucket,
        profile,
        role_id,
        image,
        zone: _,
        database_gib,
        reports,
        listing_lag,
        boot_patience,
        endpoint,
        types: AwsTypes { database, wordpress, gateway },
    } = settings.clone();
    let subnet = |AwsSubnet { id, zone }| Subnet { id, zone };
    let reports = if reports == "bucket" { Reports::Bucket } else { Reports::Direct(reports) };
    AwsConfig {
        installation,
        region,
        vpc,
        subnets: subnets.into_iter().map(subnet).collect(),
        bucket,
        profile,
        role_id,
        image,
        endpoint,
        types: InstanceTypes { database, wordpress, gateway },
        database_gib,
        reports,
        listing_lag: listing_lag.as_std(),
        boot_patience: boot_patience.as_std(),
    }
}
