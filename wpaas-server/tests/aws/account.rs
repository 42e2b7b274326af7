//! moto as an operator has prepared it, and what is in it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use wpaas_backend_aws::cloud::{Bucket as _, Ec2 as _, Filter, InstanceState, Zone as _};
use wpaas_backend_aws::sdk::{SdkBucket, SdkEc2, SdkZone};
use wpaas_backend_aws::testing::Life;
use wpaas_backend_aws::testing::moto::{self, Prepared};

pub const ROLE: &str = "AROATEST";
/// What moto takes for credentials, as it takes any.
pub const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

pub struct Account {
    pub prepared: Prepared,
    pub installation: String,
    pub ec2: SdkEc2,
    pub bucket: SdkBucket,
    zone: SdkZone,
    /// What gateways count, in hundredths of a request.
    pub busy: AtomicU32,
}

impl Account {
    /// In a region that no other test uses.
    pub async fn prepared(region: &str) -> Option<Self> {
        let prepared = moto::prepared(region).await?;
        let config = prepared.configuration().await;
        Some(Self {
            installation: prepared.bucket.clone(),
            ec2: SdkEc2::new(&config),
            bucket: SdkBucket::new(&config, &prepared.bucket),
            zone: SdkZone::new(&config, &prepared.zone),
            busy: AtomicU32::new(0),
            prepared,
        })
    }

    /// As an operator writes it.
    pub fn configuration(&self) -> String {
        let Prepared { endpoint, region, vpc, subnets, bucket, zone, domain: _, image, profile } =
            &self.prepared;
        let subnets: Vec<_> =
            subnets.iter().map(|(id, zone)| format!("{{ id = \"{id}\", zone = \"{zone}\" }}")).collect();
        format!(
            "[aws]\ninstallation = \"{}\"\nregion = \"{region}\"\nvpc = \"{vpc}\"\nsubnets = [{}]\n\
             bucket = \"{bucket}\"\nzone = \"{zone}\"\nimage = \"{image}\"\nprofile = \"{profile}\"\n\
             role_id = \"{ROLE}\"\ndatabase_gib = 1\nlisting_lag = \"2s\"\nendpoint = \"{endpoint}\"\n",
            self.installation,
            subnets.join(", ")
        )
    }

    /// Has the nodes do what they do, for as long as it is polled.
    pub async fn live(&self) {
        let mut life = Life::new(&self.installation, ROLE);
        loop {
            life.under(self.busy.load(Ordering::Relaxed));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            life.live(&self.ec2, &self.bucket, i64::try_from(now).unwrap()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    fn ours(&self) -> Filter {
        Filter { tags: vec![("wpaas:installation".to_owned(), self.installation.clone())] }
    }

    /// The instances that have not ended, by their part.
    pub async fn instances(&self) -> Vec<(String, String)> {
        let page = self.ec2.instances(&self.ours(), None).await.unwrap();
        let live = page.items.into_iter().filter(|it| it.state != InstanceState::Terminated);
        let mut live: Vec<_> = live.map(|it| (it.tags["wpaas:part"].clone(), it.id)).collect();
        live.sort();
        live
    }

    /// How many instances, volumes, groups, addresses and records there are, and the keys in the bucket.
    pub async fn holds(&self) -> ([usize; 5], Vec<String>) {
        let ours = self.ours();
        let volumes = self.ec2.volumes(&ours, None).await.unwrap().items.len();
        let groups = self.ec2.groups(&ours, None).await.unwrap().items.len();
        let addresses = self.ec2.addresses(&ours).await.unwrap().items.len();
        let keys = self.bucket.list(&self.installation, None).await.unwrap().items;
        let keys = keys.into_iter().map(|key| key.key);
        let left = keys.filter(|key| !key.contains("/setup/") && !key.contains("/reports/")).collect();
        ([self.instances().await.len(), volumes, groups, addresses, self.records().await.len()], left)
    }

    /// The A records: names and addresses.
    pub async fn records(&self) -> Vec<(String, String)> {
        let records = self.zone.records(None).await.unwrap().items;
        records.into_iter().map(|record| (record.name, record.ip.to_string())).collect()
    }

    /// The texts of this name, which are no part of the port. moto believes every signature.
    pub async fn texts(&self, name: &str) -> Vec<String> {
        let Prepared { endpoint, zone, .. } = &self.prepared;
        let url = format!("{endpoint}/2013-04-01/hostedzone/{zone}/rrset?name={name}&type=TXT&maxitems=1");
        let signature = "AWS4-HMAC-SHA256 Credential=test/20270115/us-east-1/route53/aws4_request, \
                         SignedHeaders=host, Signature=none";
        let request = reqwest::Client::new().get(url).header("Authorization", signature);
        let xml = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
        if !xml.contains(&format!("<Name>{name}.</Name>")) {
            return Vec::new();
        }
        let values = xml.split("<Value>").skip(1).filter_map(|rest| rest.split("</Value>").next());
        let bare = |value: &str| value.replace("&quot;", "").replace('"', "");
        values.map(bare).collect()
    }
}
