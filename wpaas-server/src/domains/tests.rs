use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use wpaas_core::access::Actor;
use wpaas_core::keyring::Keyring;
use wpaas_core::name::Cid;
use wpaas_core::secret::Secret;
use wpaas_core::service::{Mode, NewCustomer, NewSite, Settings, SitePath, SitePlace};
use wpaas_core::store::memory::MemoryStore;

use super::*;

const NAMES: [&str; 3] = ["one", "two", "three"];

/// The labels of the name that a query asks for, and where its question ends.
fn asked(query: &[u8]) -> (Vec<String>, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while let Some(length) = query.get(at).copied().filter(|length| *length > 0) {
        let label = &query[at + 1..=at + usize::from(length)];
        labels.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + usize::from(length);
    }
    (labels, at + 5)
}

/// A DNS in which no name exists, and which answers nothing before it was asked for the domains of all sites.
async fn answers_all_or_none() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut domains, mut held, mut buffer) = (BTreeSet::new(), Vec::new(), [0; 1500]);
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let (labels, end) = asked(&buffer[..length]);
            domains.extend(labels.into_iter().rev().nth(1));
            let mut answer = buffer[..end].to_vec();
            // An answer, of no such name, with the question alone.
            answer[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
            held.push((answer, from));
            if domains.len() == NAMES.len() {
                for (answer, to) in held.drain(..) {
                    socket.send_to(&answer, to).await.unwrap();
                }
            }
        }
    });
    at
}

fn place(cid: &Cid) -> SitePlace {
    SitePlace { cid: cid.clone(), org: None, space: None }
}

/// A site of a customer of its own, which asks for a domain.
async fn asking(service: &Service, name: &str) -> Cid {
    let new = NewCustomer {
        name: name.to_owned(),
        email: "owner@acme.example".parse().unwrap(),
        username: name.parse().unwrap(),
        password: None,
        account: None,
    };
    let now = Timestamp::now();
    let cid = service.register_customer(Some(&Actor::Operator), new, now).await.unwrap().cid;
    let new = NewSite::named("blog".parse().unwrap(), Secret::new("a fine password".to_owned()));
    let site = NewSite { domains: vec![format!("{name}.example").parse().unwrap()], ..new };
    service.create_site(&Actor::Operator, &place(&cid), site, Mode::Commit, now).await.unwrap();
    cid
}

/// Who waits for DNS holds up nobody: each is answered only because the others are asked for meanwhile.
#[tokio::test]
async fn the_claims_of_one_site_wait_for_no_other() {
    let settings = Settings::new("wpaas.example".parse().unwrap());
    let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(Keyring::ephemeral()), settings);
    let mut cids = Vec::new();
    for name in NAMES {
        cids.push(asking(&service, name).await);
    }
    let resolvers = vec![answers_all_or_none().await];
    let settings = DomainSettings { verify: true, resolvers, reserved: Vec::new() };
    Domains::new(&settings, service.clone()).unwrap().round().await.unwrap();
    for cid in cids {
        let path = SitePath { place: place(&cid), name: "blog".parse().unwrap() };
        let found = service.site(&Actor::Operator, &path).await.unwrap().domains.remove(0).claim.found;
        assert!(found.contains("has no TXT record") && found.ends_with("leads nowhere"), "{found}");
    }
}
