//! Certificates, from an authority that we did not write: Debian's Pebble, which refuses nonces at random and looks at
//! every challenge from three places. Names are proved by a gateway that the test plays, or in the platform's own zone.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use wpaas_core::access::Actor;
use wpaas_core::converge::Intents as _;
use wpaas_core::secret::SecretError;
use wpaas_core::service::{EventScope, Grace, IfMatch, Mode};
use wpaas_core::site::{CertificateName, CertificateState, Truth};
use wpaas_core::store::SqlStore;
use wpaas_server::certificates::Certificates;

use self::world::{World, place, up};
use super::pebble::{Temper, is_there};

mod account;
mod gateway;
mod wildcard;
mod world;

fn after(now: Timestamp, hours: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

#[tokio::test]
async fn a_certificate_is_issued_renewed_and_kept_sealed() {
    if !is_there() {
        return;
    }
    let mut world = World::of(1).await;
    let _pebble = world.pebble(Temper::Even);
    let mut certificates = world.certificates().await;
    certificates.sweep().await.unwrap();
    let now = Timestamp::now();
    assert_eq!(certificates.work(now).await.unwrap(), 1);
    let (state, issued, failure) = world.standing("s0").await;
    assert_eq!((state, failure.as_str()), (CertificateState::Issued, ""));
    let issued = issued.unwrap();
    let pem = world.pem("s0", issued.version).await.unwrap();
    assert!(pem.contains("-----BEGIN CERTIFICATE-----") && pem.contains("PRIVATE KEY-----"), "no pair");
    assert!(names_of(&pem).contains("s0.acm.www.wpaas.example.com"));
    assert_eq!(certificates.work(now).await.unwrap(), 0, "it is there");

    let name: CertificateName = "s0.acm.www.wpaas.example.com".parse().unwrap();
    let due = issued.renew_at(&name);
    assert_eq!(certificates.work(due - SignedDuration::from_secs(1)).await.unwrap(), 0);
    assert_eq!(certificates.work(due).await.unwrap(), 1);
    let (_, renewed, _) = world.standing("s0").await;
    let renewed = renewed.unwrap();
    assert_eq!(renewed.version, issued.version + 1);
    assert!(world.pem("s0", renewed.version).await.is_ok_and(|new| new != pem));
    assert!(matches!(world.pem("s0", issued.version).await, Err(SecretError::Absent { .. })));

    let events = world.service.events(&Actor::Operator, &EventScope::All.into(), 0, 100).await.unwrap().items;
    let told: Vec<_> =
        events.iter().filter(|event| event.event.kind.as_str() == "site_certificate_changed").collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(!format!("{events:?}").contains("PRIVATE KEY"));
}

fn names_of(pem: &str) -> String {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value)
}

#[tokio::test]
async fn an_authority_that_is_down_is_asked_again() {
    if !is_there() {
        return;
    }
    let mut world = World::of(2).await;
    let pebble = world.pebble(Temper::Even);
    let down = pebble.stop();
    let mut certificates = world.certificates().await;
    certificates.sweep().await.unwrap();
    let now = Timestamp::now();
    assert_eq!(certificates.work(now).await.unwrap(), 2);
    let (state, _, words) = world.standing("s1").await;
    assert_eq!(state, CertificateState::Failed);
    assert!(words.starts_with("the authority can't be asked"), "{words}");
    assert_eq!(certificates.work(now).await.unwrap(), 0, "it is left alone for a while");
    let _up = down.start();
    assert_eq!(certificates.work(after(now, 1)).await.unwrap(), 2);
    let (state, _, words) = world.standing("s1").await;
    assert_eq!((state, words.as_str()), (CertificateState::Issued, ""));
}

#[tokio::test]
async fn what_an_authority_finds_wrong_is_said_in_its_words() {
    if !is_there() {
        return;
    }
    let mut world = World::of(1).await;
    let _pebble = world.pebble(Temper::Even);
    let mut certificates = world.certificates().await;
    let thumbprint = certificates.thumbprint().unwrap();
    world.gateway.answers_with("of-somebody-else");
    certificates.sweep().await.unwrap();
    let now = Timestamp::now();
    assert_eq!(certificates.work(now).await.unwrap(), 1);
    let (state, _, words) = world.standing("s0").await;
    assert_eq!(state, CertificateState::Failed);
    assert!(words.contains("key authorization") && words.contains("unauthorized"), "{words}");
    let told = async |words: &str| {
        let (truth, message) = world.condition("s0").await;
        let failure = world.site("s0").await.certificates[0].certificate.failure.clone().unwrap();
        assert!(message.contains(&format!("{words}; the next try is at {}", failure.retry_at)), "{message}");
        truth
    };
    assert_eq!(told(&words).await, Truth::False);
    world.gateway.answers_with(&thumbprint);
    assert_eq!(certificates.work(after(now, 1)).await.unwrap(), 1);
    let (state, issued, _) = world.standing("s0").await;
    assert_eq!(state, CertificateState::Issued);
    assert_eq!(world.condition("s0").await, (Truth::True, "1 of 1 names have one".to_owned()));

    // A renewal that is refused takes nothing away, and is told.
    world.gateway.answers_with("of-somebody-else");
    let (mut issued, asked) = (issued.unwrap(), world.gateway.asked());
    // Pebble lets one proof of a hundred count again, though it is told to let none: it asks nobody then, and renews.
    for _ in 0..5 {
        let due = issued.renew_at(&"s0.acm.www.wpaas.example.com".parse().unwrap());
        assert_eq!(certificates.work(due).await.unwrap(), 1);
        issued = world.standing("s0").await.1.unwrap();
        if world.gateway.asked() > asked {
            break;
        }
    }
    let (state, _, words) = world.standing("s0").await;
    assert!(state == CertificateState::Issued && words.contains("unauthorized"), "{words}");
    assert_eq!(told(&words).await, Truth::True);
}

/// Sites that come and go do not use up what an authority allows everybody below the domain.
#[tokio::test]
async fn what_was_issued_to_a_site_that_is_gone_counts() {
    if !is_there() {
        return;
    }
    let mut world = World::of(2).await;
    let _pebble = world.pebble(Temper::Even);
    world.settings.per_domain = 1;
    let mut certificates = world.certificates().await;
    let now = Timestamp::now();
    assert_eq!(certificates.work(now).await.unwrap(), 1);
    assert_eq!(world.standing("s0").await.0, CertificateState::Issued);
    let path = wpaas_core::service::SitePath { place: place(), name: "s0".parse().unwrap() };
    let (operator, grace) = (Actor::Operator, Grace::Default);
    world.service.delete_site(&operator, &path, grace, IfMatch::Any, Mode::Commit, now).await.unwrap();
    let mut again = world.certificates().await;
    for certificates in [&mut certificates, &mut again] {
        certificates.sweep().await.unwrap();
        assert_eq!(certificates.work(now).await.unwrap(), 0);
        assert_eq!(certificates.work(after(now, 7 * 24 - 1)).await.unwrap(), 0);
    }
    assert_eq!(
        certificates.work(after(now, 7 * 24 + 1)).await.unwrap(),
        1,
        "a week later there is room again"
    );
    assert_eq!(world.standing("s1").await.0, CertificateState::Issued);
}

/// Whether these bytes are in any file of the folder.
fn is_kept(folder: &std::path::Path, needle: &str) -> bool {
    let has = |path: std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    std::fs::read_dir(folder).unwrap().any(|entry| has(entry.unwrap().path()))
}

#[tokio::test]
async fn keys_are_kept_sealed_and_no_longer_than_their_names() {
    if !is_there() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let store = SqlStore::open(&folder.path().join("wpaas.db")).await.unwrap();
    let mut world = World::over(Arc::new(store), 1).await;
    let _pebble = world.pebble(Temper::Even);
    world.has_domains("s0", &["www.example.com"]).await;
    let mut certificates = world.certificates().await;
    assert_eq!(certificates.work(Timestamp::now()).await.unwrap(), 2);
    let version = async |name: &str| {
        let name: CertificateName = name.parse().unwrap();
        world.site("s0").await.site.certificates.get(&name).issued.unwrap().version
    };
    let (domain, platform) =
        (version("www.example.com").await, version("s0.acm.www.wpaas.example.com").await);
    assert!(is_kept(folder.path(), "www.example.com"), "the files are looked at");
    let account = world.service.acme_key(&world.settings.directory).await.unwrap().unwrap().key;
    assert!(!is_kept(folder.path(), account.expose()), "the account's key is kept in the clear");
    for version in [domain, platform] {
        let pem = world.pem("s0", version).await.unwrap();
        let key = pem.split_once("PRIVATE KEY-----").unwrap().1;
        let line = key.lines().find(|line| line.len() > 40).unwrap();
        assert!(!is_kept(folder.path(), line), "a certificate's key is kept in the clear");
    }

    world.has_domains("s0", &[]).await;
    assert!(matches!(world.pem("s0", domain).await, Err(SecretError::Absent { .. })));
    assert!(world.pem("s0", platform).await.is_ok(), "the other one stays");
}

#[tokio::test]
async fn nothing_is_asked_for_before_the_gateways_can_answer() {
    if !is_there() {
        return;
    }
    let mut world = World::of(1).await;
    let _pebble = world.pebble(Temper::Even);
    let mut certificates = world.untold().await;
    let now = Timestamp::now();
    for told in [None, Some("of an older key")] {
        if let Some(told) = told {
            let site = world.site("s0").await.site.id;
            world.service.intents().record(site, &up(now, told)).await.unwrap();
        }
        certificates.sweep().await.unwrap();
        assert_eq!(certificates.work(now).await.unwrap(), 0, "{told:?}");
    }
    assert_eq!(world.standing("s0").await.0, CertificateState::Pending);
    world.tell_gateways(&mut certificates).await;
    assert_eq!(certificates.work(now).await.unwrap(), 1);
    assert_eq!(world.standing("s0").await.0, CertificateState::Issued);
}

/// Rounds, an hour apart, until all sites have a certificate.
async fn all_issued(world: &World, certificates: &mut Certificates) {
    certificates.sweep().await.unwrap();
    let mut now = Timestamp::now();
    for _ in 0..20 {
        certificates.work(now).await.unwrap();
        let mut missing = Vec::new();
        for site in &world.sites {
            let (state, _, words) = world.standing(site).await;
            if state != CertificateState::Issued {
                missing.push(words);
            }
        }
        if missing.is_empty() {
            return;
        }
        now = after(now, 13);
        assert!(missing.iter().all(|words| words.contains("badNonce")), "{missing:?}");
    }
    panic!("not all have one");
}

#[tokio::test]
async fn nonces_that_are_refused_are_replaced() {
    if !is_there() {
        return;
    }
    let mut world = World::of(4).await;
    let _pebble = world.pebble(Temper::RefusesNonces);
    let mut certificates = world.certificates().await;
    all_issued(&world, &mut certificates).await;
}

#[tokio::test]
async fn a_hundred_sites_have_theirs_at_once() {
    if !is_there() {
        return;
    }
    let mut world = World::of(100).await;
    let _pebble = world.pebble(Temper::Even);
    let mut certificates = world.certificates().await;
    all_issued(&world, &mut certificates).await;
    let mut pems = std::collections::BTreeSet::new();
    for site in &world.sites {
        let version = world.standing(site).await.1.unwrap().version;
        let pem = world.pem(site, version).await.unwrap();
        assert!(names_of(&pem).contains(&format!("{site}.acm.www.wpaas.example.com")));
        pems.insert(pem);
    }
    assert_eq!(pems.len(), 100, "each has a key of its own");
}
