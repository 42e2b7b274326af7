//! A purge worker that is killed wherever it waits, and the server that goes on with it.

use std::pin::pin;

use futures::future::poll_fn;
use jiff::SignedDuration;
use wpaas_core::access::Actor;
use wpaas_core::account::Lifecycle;
use wpaas_core::converge::{Ends as _, Intents as _, ObjectId, Part, Run};
use wpaas_core::id::SiteId;
use wpaas_core::metering::{Look, UsageKind};
use wpaas_core::name::Cid;
use wpaas_core::quota::Quota;
use wpaas_core::service::{
    Event, EventScope, Grace, IfMatch, Mode, NewOrg, Page, Purge, Service, SitePlace, UsageFilter, UsageSum,
};

use crate::{NOW, Place, at, customer, parse, place, site, user};

/// Two sites, two orgs, two spaces and a user, all of it to be removed at 60 s.
async fn to_be_removed(service: &Service) -> Cid {
    let op = &Actor::Operator;
    let made = service.register_customer(Some(op), customer("Acme", "acme"), NOW).await;
    let cid = made.expect("registers").cid;
    let team = NewOrg {
        cid: cid.clone(),
        name: parse("team"),
        description: String::new(),
        quota: Quota::default(),
        spaces: vec![parse("s")],
    };
    service.create_org(op, team, NOW).await.expect("is made");
    let in_team = SitePlace { org: Some(parse("team")), space: Some(parse("s")), ..place(&cid) };
    for place in [place(&cid), in_team] {
        service.create_site(op, &place, site("blog"), Mode::Commit, NOW).await.expect("is made");
    }
    service.create_user(op, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let grace = Grace::Of(SignedDuration::from_secs(60));
    service.delete_customer(op, &cid, grace, IfMatch::Any, NOW).await.expect("is marked");
    cid
}

/// What runs of a site, since the beginning.
fn gateway(site: SiteId) -> Run {
    let object = ObjectId::new(&format!("gateway of {site}"));
    Run { part: Part::Gateway(0), object, started_at: NOW, ended_at: None, previous_end: None }
}

/// What the converger metered before.
async fn meter(service: &Service) {
    let intents = service.intents();
    let look =
        |site| Look { site, seen_at: at(30), complete: true, runs: vec![gateway(site)], others: Vec::new() };
    let sites = intents.page(None, 9).await.expect("read");
    let looks = sites.iter().map(|intent| look(intent.site)).collect();
    intents.metered(looks).await.expect("is kept");
}

/// What the worker and the converger do, until nothing is left.
async fn purge(service: &Service, cid: &Cid) {
    let intents = service.intents().with_clock(|| at(60));
    loop {
        match service.purge_customer(cid, at(60)).await.expect("goes on") {
            Purge::Done => return,
            Purge::More => {}
            Purge::Waiting { .. } => {
                for intent in intents.page(None, 9).await.expect("read") {
                    let ended = Run { ended_at: Some(at(45)), ..gateway(intent.site) };
                    intents.ended(intent.site, ended).await.expect("is kept");
                    intents.purged(intent.site).await.expect("is purged");
                }
            }
        }
    }
}

/// Polls so many times, whenever it can go on, then drops it; whether it came to its end.
async fn killed_after(polls: usize, work: impl Future<Output = ()>) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|context| {
        let ended = work.as_mut().poll(context).is_ready();
        left -= 1;
        if ended || left == 0 { std::task::Poll::Ready(ended) } else { std::task::Poll::Pending }
    })
    .await
}

/// What was removed, from the inside out, each once.
fn removed(events: &[Event]) -> Vec<&'static str> {
    let kinds = events.iter().map(|event| event.event.kind.as_str());
    kinds.filter(|kind| ["purged", "deleted"].iter().any(|end| kind.ends_with(end))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_is_killed_anywhere_is_ended_by_the_next_server() {
    killed_anywhere(async || Place::file(), 1).await;
}

/// As the leader that stops to be it, and the next.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_purge_at_once_do_each_step_once() {
    for _ in 0..5 {
        for place in [Some(Place::file()), Place::postgres().await].into_iter().flatten() {
            let servers = [place.server().await, place.server().await];
            let cid = to_be_removed(&servers[0]).await;
            meter(&servers[0]).await;
            let mut purges = tokio::task::JoinSet::new();
            for server in servers.clone() {
                let cid = cid.clone();
                purges.spawn(async move { purge(&server, &cid).await });
            }
            purges.join_all().await;
            check_removed(&servers[1], &cid, 0).await;
        }
    }
}

/// A `PostgreSQL` is waited for more often: not each time is tried.
#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_on_a_postgres() {
    if Place::postgres().await.is_some() {
        killed_anywhere(async || Place::postgres().await.expect("is named"), 7).await;
    }
}

async fn killed_anywhere(place: impl AsyncFn() -> Place, step: usize) {
    let mut polls = 1;
    loop {
        let place = place().await;
        let first = place.server().await;
        let cid = to_be_removed(&first).await;
        meter(&first).await;
        let ended = killed_after(polls, purge(&first, &cid)).await;
        drop(first);

        let next = place.server().await;
        purge(&next, &cid).await;
        check_removed(&next, &cid, polls).await;
        if ended {
            break;
        }
        polls += step;
    }
    assert!(polls > 8, "it was killed between all of its transactions: {polls}");
}

async fn check_removed(service: &Service, cid: &Cid, polls: usize) {
    let op = &Actor::Operator;
    let of_it = UsageFilter { cid: Some(cid.clone()), ..UsageFilter::default() };
    let used = service.usage_sums(op, &of_it).await.expect("read");
    let gateways = UsageSum { kind: UsageKind::Gateway, millis: 2 * 45_000, gib_millis: 0 };
    assert_eq!(used, [gateways], "after {polls} polls");
    let events =
        service.events(op, &EventScope::Customer(cid.clone()).into(), 0, 1000).await.expect("read").items;
    let record = [
        ["site_deleted", "site_deleted", "site_purged", "site_purged"].as_slice(),
        &["space_deleted", "space_deleted", "org_deleted", "org_deleted", "user_deleted", "customer_purged"],
    ];
    assert_eq!(removed(&events), record.concat(), "after {polls} polls");
    let left = service.customer(op, cid).await.expect("its record stays");
    assert_eq!((left.lifecycle, left.email.as_str()), (Lifecycle::Purged, "removed@example.invalid"));
    assert_eq!(service.intents().page(None, 9).await.expect("read"), []);
    let orgs = service.orgs(op, cid, Page::first(9), at(60)).await;
    assert!(orgs.map_or(true, |orgs| orgs.items.is_empty()), "no default is made for it");
    let next = service.register_customer(Some(op), customer("Acme", "acme"), at(61)).await;
    assert_eq!(next.expect("registers").cid.as_str(), "acme", "the id is never given again");
}
