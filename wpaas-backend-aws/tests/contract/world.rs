//! What the suite is run against.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wpaas_backend_aws::cloud::{Bucket, CloudError, Ec2, Filter, Page, Record, RecordChange, Tags, Zone};
use wpaas_backend_aws::sdk::{SdkBucket, SdkEc2, SdkZone, configuration};
use wpaas_backend_aws::testing::{self, Quotas, Simulator, moto};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Simulator,
    Moto,
    Account,
}

/// Everything that a case needs. Each case tags what it makes as its own.
pub struct World {
    pub who: Who,
    pub ec2: Arc<dyn Ec2>,
    pub bucket: Arc<dyn Bucket>,
    pub zone: Arc<dyn Zone>,
    pub vpc: String,
    /// A subnet and its zone.
    pub subnet: (String, String),
    pub image: String,
    pub profile: String,
    /// What the hosted zone is for.
    pub domain: String,
    /// Told apart from everything that another run made.
    run: String,
    made: AtomicU32,
}

/// Asked as seldom as Route 53 takes it: it paces nobody, and an account has five requests a second.
#[derive(Debug)]
struct Patient(Arc<dyn Zone>);

impl Patient {
    async fn zone(&self) -> &dyn Zone {
        tokio::time::sleep(Duration::from_millis(250)).await;
        &*self.0
    }
}

#[async_trait]
impl Zone for Patient {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        self.zone().await.records(next).await
    }

    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        self.zone().await.change(changes).await
    }

    async fn in_sync(&self, change: &str) -> Result<bool, CloudError> {
        self.zone().await.in_sync(change).await
    }
}

impl World {
    /// The port's simulator, listing five things a page.
    pub fn simulated() -> Self {
        let aws = Simulator::new(Quotas::raised());
        aws.set_pages_of(5);
        let aws = Arc::new(aws);
        Self {
            who: Who::Simulator,
            ec2: aws.clone(),
            bucket: aws.clone(),
            zone: Arc::new(Patient(aws)),
            vpc: "vpc-1".to_owned(),
            subnet: ("subnet-a".to_owned(), "eu-test-1a".to_owned()),
            image: "ami-1".to_owned(),
            profile: "wpaas-node".to_owned(),
            domain: "www.example.com".to_owned(),
            run: "simulated".to_owned(),
            made: AtomicU32::new(0),
        }
    }

    /// The same simulator, over the SDK.
    pub async fn wired() -> Self {
        let aws = Simulator::new(Quotas::raised());
        aws.set_pages_of(5);
        let config = aws.configuration().await;
        Self {
            ec2: Arc::new(SdkEc2::new(&config)),
            bucket: Arc::new(SdkBucket::new(&config, &testing::config().bucket)),
            zone: Arc::new(Patient(Arc::new(SdkZone::new(&config, testing::ZONE)))),
            ..Self::simulated()
        }
    }

    /// A name that is nobody else's.
    pub fn name(&self) -> String {
        format!("{}-{}", self.run, self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Tags of a thing, and a filter that finds it and its like.
    pub fn tags(&self) -> (Tags, Filter) {
        let tag = ("wpaas:installation".to_owned(), self.name());
        let tags = Tags::from([tag.clone(), ("Name".to_owned(), "of the contract's suite".to_owned())]);
        (tags, Filter { tags: vec![tag] })
    }
}

/// moto, where there is one, in this region.
pub async fn moto(region: &str) -> Option<World> {
    let moto = moto::prepared(region).await?;
    let config = moto.configuration().await;
    Some(World {
        who: Who::Moto,
        ec2: Arc::new(SdkEc2::new(&config).with_pages_of(5)),
        bucket: Arc::new(SdkBucket::new(&config, &moto.bucket)),
        zone: Arc::new(SdkZone::new(&config, &moto.zone)),
        vpc: moto.vpc,
        subnet: moto.subnets[0].clone(),
        image: moto.image,
        profile: moto.profile,
        domain: moto.domain,
        run: moto.bucket,
        made: AtomicU32::new(0),
    })
}

/// A real account, where `WPAAS_TEST_AWS_REGION` names a region of it, and what else it takes says what may be used:
/// all that the suite makes it removes, but what a failure leaves. Without, nothing.
pub async fn account() -> Option<World> {
    let region = std::env::var("WPAAS_TEST_AWS_REGION").ok()?;
    let given = |name: &str| {
        let name = format!("WPAAS_TEST_AWS_{name}");
        std::env::var(&name).unwrap_or_else(|_| panic!("{name} is to say what of the account may be used"))
    };
    let config = configuration(&region, None).await;
    Some(World {
        who: Who::Account,
        ec2: Arc::new(SdkEc2::new(&config).with_pages_of(5)),
        bucket: Arc::new(SdkBucket::new(&config, &given("BUCKET"))),
        zone: Arc::new(Patient(Arc::new(SdkZone::new(&config, &given("ZONE"))))),
        vpc: given("VPC"),
        subnet: (given("SUBNET"), given("SUBNET_ZONE")),
        image: given("IMAGE"),
        profile: given("PROFILE"),
        domain: given("DOMAIN"),
        run: format!("wpaas-{}", uuid::Uuid::now_v7()),
        made: AtomicU32::new(0),
    })
}
