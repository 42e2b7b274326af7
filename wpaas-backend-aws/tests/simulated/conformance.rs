//! The suite that every backend must pass.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::time::sleep;
use wpaas_backend_aws::AwsBackend;
use wpaas_backend_aws::cloud::{Ec2 as _, Filter, NewGroup, NewVolume, Tags};
use wpaas_backend_aws::testing::{Fakes, Quotas, Simulator, config};
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::conformance::{self, Canaries, Fixture, Outside};
use wpaas_core::converge::{
    Action, Applied, Backend, BackendError, Capabilities, Object, ObjectId, Observation, Part, Report, Scope,
    Step,
};
use wpaas_core::id::SiteId;

use crate::front::Front;

/// The suite leads the address to a gateway that it has just made. EC2 takes that once it runs; the planner waits
/// for its report.
#[derive(Debug)]
struct Booted(AwsBackend);

#[async_trait]
impl Backend for Booted {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        self.0.observe(scope).await
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        if matches!(step.action, Action::Lead { .. }) {
            sleep(Duration::from_secs(21)).await;
        }
        self.0.apply(step).await
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        self.0.changes()
    }
}

#[derive(Debug)]
struct World(Simulator, Front);

/// As another installation tags a part of the site.
fn foreign(site: SiteId, part: Part) -> Tags {
    let tags = [
        ("wpaas:installation", "other".to_owned()),
        ("wpaas:site", site.to_string()),
        ("wpaas:part", part.to_string()),
        ("wpaas:generation", "1".to_owned()),
        ("wpaas:epoch", "1".to_owned()),
    ];
    tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[async_trait]
impl Fixture for World {
    fn server(&self) -> Arc<dyn Backend> {
        let Front { ec2, bucket, zone: _ } = self.1.clone();
        let (secrets, rest) = (Arc::new(Canaries), Arc::new(Fakes));
        Arc::new(Booted(AwsBackend::new(config(), ec2, bucket, secrets, rest.clone(), rest)))
    }

    fn release(&self) -> Option<(Digest, Layout)> {
        Some((Digest::from_sha256([7; 32]), Layout::Content))
    }

    fn hints(&self) -> bool {
        false
    }

    /// EC2 freezes nothing, and what is edited shows nowhere.
    async fn outside(&self, _: SiteId, object: &Object, what: Outside) -> bool {
        match what {
            Outside::Kill if object.part.is_node() => self.0.stop(&object.id.to_string()),
            Outside::Vanish if object.part.is_node() => self.0.terminate(&object.id.to_string()),
            _ => return false,
        }
        sleep(Duration::from_secs(31)).await;
        true
    }

    async fn decoys(&self, site: SiteId) -> Vec<(Part, ObjectId)> {
        let (network, volume) = (Part::Network, Part::DatabaseVolume(0));
        let group = NewGroup {
            name: format!("another's of {site}"),
            description: String::new(),
            vpc: "vpc-1".to_owned(),
            tags: foreign(site, network),
        };
        let group = self.0.create_group(&group).await.unwrap();
        let tags = foreign(site, volume);
        let new = NewVolume { token: site.to_string(), zone: "eu-test-1a".to_owned(), gib: 1, tags };
        let disk = self.0.create_volume(&new).await.unwrap();
        vec![(network, ObjectId::new(&group)), (volume, ObjectId::new(&disk.id))]
    }

    async fn is_untouched(&self, part: Part, decoy: &ObjectId) -> bool {
        let all = Filter { tags: vec![("wpaas:installation".to_owned(), "other".to_owned())] };
        let id = &decoy.to_string();
        match part {
            Part::Network => {
                let groups = self.0.groups(&all, None).await.unwrap().items;
                groups.iter().any(|group| group.id == *id && group.rules.is_empty())
            }
            _ => self.0.volumes(&all, None).await.unwrap().items.iter().any(|disk| disk.id == *id),
        }
    }

    async fn blind(&self) -> bool {
        let mut tags = foreign(SiteId::new(), Part::Network);
        tags.insert("wpaas:installation".to_owned(), "lab".to_owned());
        tags.insert("wpaas:site".to_owned(), "damaged".to_owned());
        self.0.allocate_address(&tags).await.unwrap();
        true
    }

    /// Tags, user data and the names of keys; what is in the bucket needs its own permission.
    async fn shown(&self, site: SiteId, object: &Object) -> String {
        let of_site = Filter { tags: vec![("wpaas:site".to_owned(), site.to_string())] };
        let instances = self.0.instances(&of_site, None).await.unwrap();
        let volumes = self.0.volumes(&of_site, None).await.unwrap();
        let mut shown = format!("{instances:?} {volumes:?} {:?}", self.0.keys());
        if let Some(user_data) = self.0.user_data(&object.id.to_string()) {
            flate2::read::GzDecoder::new(user_data.as_slice()).read_to_string(&mut shown).unwrap();
        }
        shown
    }

    async fn said(&self, _: SiteId, _: Part) -> Option<Report> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn the_backend_conforms() {
    let aws = Simulator::new(Quotas::raised());
    let front = Front::of(&aws).await;
    conformance::all(&World(aws, front)).await;
}
