use std::fs::File;
use std::path::Path;

use wpaas_core::access::Actor;
use wpaas_core::code::local_store::LocalReleaseStore;
use wpaas_core::converge::Intents as _;
use wpaas_core::keyring::Keyring;
use wpaas_core::secret::Secret;
use wpaas_core::service::{Grace, IfMatch, Mode, NewCustomer, NewSite, Settings, SitePath, SitePlace};
use wpaas_core::site::SiteStatus;
use wpaas_core::store::memory::MemoryStore;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn pauses_grow_and_end_growing() {
    let seconds: Vec<_> = [0, 1, 2, 8, 40].map(|failures| pause(failures).as_secs()).into();
    assert_eq!(seconds, [5, 10, 20, 900, 900]);
}

/// A service with one site of generation 1, and that.
async fn service() -> (Service, SiteId) {
    let settings = Settings::new("wpaas.localhost".parse().unwrap());
    let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(Keyring::ephemeral()), settings);
    let new = NewCustomer {
        name: "Acme".to_owned(),
        email: "owner@example.com".parse().unwrap(),
        username: "acme".parse().unwrap(),
        password: None,
        account: None,
    };
    let now = Timestamp::now();
    let cid = service.register_customer(Some(&Actor::Operator), new, now).await.unwrap().cid;
    let place = SitePlace { cid, org: None, space: None };
    let made = service.create_site(&Actor::Operator, &place, blog(), Mode::Commit, now).await.unwrap();
    (service, made.site.id)
}

fn blog() -> NewSite {
    NewSite::named("blog".parse().unwrap(), Secret::new("a fine password".to_owned()))
}

/// What is found of a site whose parts were made for this generation.
fn seen(observed_generation: Generation) -> SiteStatus {
    SiteStatus {
        observed_generation,
        num_instances: 1,
        database_instances: 1,
        address: None,
        conditions: Vec::new(),
        parts: Vec::new(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: None,
        challenge: None,
    }
}

fn archive(folder: &Path, n: u8, put: SystemTime) -> Digest {
    let digest = Digest::from_sha256([n; 32]);
    let file = folder.join(format!("{}.tar.gz", digest.to_string().replace(':', "-")));
    File::create(file).unwrap().set_modified(put).unwrap();
    digest
}

#[tokio::test]
async fn an_archive_goes_once_no_release_has_needed_it_for_days() {
    let (folder, (service, site)) = (tempfile::tempdir().unwrap(), service().await);
    let store = LocalReleaseStore::open(folder.path()).unwrap();
    let (start, count) = (SystemTime::now(), || std::fs::read_dir(folder.path()).unwrap().count());
    archive(folder.path(), 1, SystemTime::UNIX_EPOCH);
    let at = async |days: u32| remove_unused(&service, &store, start + DAY * days).await.unwrap();
    at(0).await;
    at(6).await;
    assert_eq!(count(), 2, "it stays, and a mark beside it");
    service.intents().record(site, &seen(2)).await.unwrap();
    at(30).await;
    assert_eq!(count(), 2, "the store is behind");
    let place = SitePlace { cid: "acm".parse().unwrap(), org: None, space: None };
    let path = SitePath { place, name: "blog".parse().unwrap() };
    let (operator, now) = (Actor::Operator, Timestamp::now());
    service.delete_site(&operator, &path, Grace::Default, IfMatch::Any, Mode::Commit, now).await.unwrap();
    at(31).await;
    assert_eq!(count(), 0, "somebody has said what is wanted");
}
