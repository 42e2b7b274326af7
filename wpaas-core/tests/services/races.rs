//! Races of two servers over one database, each with several connections.

use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::account::Identity;
use wpaas_core::converge::{Ends as _, Intents as _, ObjectId, Part, Run};
use wpaas_core::metering::Look;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;
use wpaas_core::service::{
    CustomerUpdate, EventScope, Grace, IfMatch, Mode, NewKey, NewSite, NewSpace, OrgUpdate, Page,
    PaymentUpdate, Recursion, Service, SiteFilter, SiteUpdate, UsageFilter,
};

use crate::{NOW, Place, at, code, customer, kinds, parse, path, place, site};

const CLIENTS: u16 = 64;

/// Two servers and the database that they share.
struct Pair {
    servers: [Service; 2],
    _place: Place,
}

impl Pair {
    async fn on(place: Place) -> Self {
        let servers = [place.server().await, place.server().await];
        Self { servers, _place: place }
    }

    fn any(&self) -> &Service {
        &self.servers[0]
    }

    async fn acme(&self) -> Cid {
        let made = self.any().register_customer(Some(&Actor::Operator), customer("Acme", "acme"), NOW).await;
        made.expect("registers").cid
    }

    /// What each of many clients was answered, that ask either server at once.
    async fn race<T: Send + 'static, F>(&self, ask: impl Fn(u16, Service) -> F) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut clients = JoinSet::new();
        for n in 0..CLIENTS {
            clients.spawn(ask(n, self.servers[usize::from(n % 2)].clone()));
        }
        clients.join_all().await
    }

    async fn set_quota(&self, cid: &Cid, quota: Quota) {
        let update = OrgUpdate { quota: Some(quota), ..OrgUpdate::default() };
        let default = Slug::default_name();
        let set = self.any().update_org(&Actor::Operator, cid, &default, update, IfMatch::Any, NOW).await;
        set.expect("is set");
    }
}

macro_rules! on_each_database {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Pair::on(crate::Place::file()).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(place) = crate::Place::postgres().await {
                    super::$name(super::Pair::on(place).await).await;
                }
            })*
        }
    };
}

on_each_database! {
    first_requests_make_one_org_one_space_and_an_event_of_each
    first_sites_make_one_org_and_one_space
    no_quota_is_passed_by_one
    a_spaces_quota_and_its_orgs_are_never_at_odds
    each_that_registers_gets_an_id_of_its_own
    nothing_is_made_in_what_is_deleted_at_the_same_time
    no_default_is_made_behind_a_deletion
    what_two_servers_meter_is_billed_once
    a_key_that_is_taken_back_while_it_is_renewed_stays_so
    no_org_is_billed_to_an_account_that_is_gone
}

async fn first_requests_make_one_org_one_space_and_an_event_of_each(pair: Pair) {
    let cid = pair.acme().await;
    let owner = Actor::Customer(cid.clone());
    let mut found = pair
        .race(|n, service| {
            let (cid, owner) = (cid.clone(), owner.clone());
            async move {
                let default = Slug::default_name();
                let org = service.org_by_name(&owner, &cid, &default, at(n.into())).await.expect("is made");
                let space = service.space_by_name(&owner, org.id, &default, at(n.into())).await;
                (org, space.expect("is made"))
            }
        })
        .await;
    found.dedup();
    assert_eq!(found.len(), 1, "all see the same row");
    assert_eq!(kinds(pair.any()).await, ["customer_registered", "org_created", "space_created"]);
}

async fn first_sites_make_one_org_and_one_space(pair: Pair) {
    let cid = pair.acme().await;
    let made = pair
        .race(|n, service| {
            let cid = cid.clone();
            async move {
                let new = site(&format!("site-{}", n % 4));
                code(service.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await)
            }
        })
        .await;
    assert_eq!(made.iter().filter(|code| **code == "ok").count(), 4);
    assert!(made.iter().all(|code| ["ok", "site_name_taken"].contains(code)), "{made:?}");
    let told = kinds(pair.any()).await;
    let count = |kind| told.iter().filter(|told| **told == kind).count();
    assert_eq!([count("org_created"), count("space_created"), count("site_created")], [1, 1, 4]);
}

async fn no_quota_is_passed_by_one(pair: Pair) {
    let cid = pair.acme().await;
    pair.set_quota(&cid, Quota { wordpress_instances: Some(21), ..Quota::default() }).await;
    let made = pair
        .race(|n, service| {
            let cid = cid.clone();
            async move {
                let new = NewSite { num_instances: Some(2), ..site(&format!("site-{n}")) };
                code(service.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await)
            }
        })
        .await;
    assert_eq!(made.iter().filter(|code| **code == "ok").count(), 10);
    assert!(made.iter().all(|code| ["ok", "quota_exceeded"].contains(code)), "{made:?}");

    // One instance is free: of all that grow at once, one may.
    let sites =
        pair.any().sites(&Actor::Operator, &place(&cid), &SiteFilter::default(), Page::first(99)).await;
    let names: Vec<_> = sites.expect("lists").items.into_iter().map(|view| view.site.name).collect();
    let grown = pair
        .race(|n, service| {
            let path = path(&cid, names[usize::from(n) % names.len()].as_str());
            async move {
                let update = SiteUpdate { num_instances: Some(3), ..SiteUpdate::default() };
                service.update_site(&Actor::Operator, &path, update, IfMatch::Any, Mode::Commit, NOW).await
            }
        })
        .await;
    let grown: Vec<_> = grown.into_iter().filter_map(Result::ok).map(|view| view.site.id).collect();
    assert!(!grown.is_empty() && grown.iter().all(|id| *id == grown[0]), "one site grew: {grown:?}");
}

async fn a_spaces_quota_and_its_orgs_are_never_at_odds(pair: Pair) {
    let cid = pair.acme().await;
    pair.set_quota(&cid, Quota { sites: Some(10), ..Quota::default() }).await;
    let org = pair.any().org_by_name(&Actor::Operator, &cid, &Slug::default_name(), NOW).await;
    let org = org.expect("is made").id;
    let asked = pair
        .race(|n, service| {
            let cid = cid.clone();
            async move {
                if n % 8 == 0 {
                    let quota = Quota { sites: Some(5), ..Quota::default() };
                    let update = OrgUpdate { quota: Some(quota), ..OrgUpdate::default() };
                    let default = Slug::default_name();
                    let lowered =
                        service.update_org(&Actor::Operator, &cid, &default, update, IfMatch::Any, NOW).await;
                    return code(lowered);
                }
                let quota = Quota { sites: Some(8), ..Quota::default() };
                let name = parse(&format!("space-{n}"));
                let new = NewSpace { org, name, description: String::new(), quota };
                code(service.create_space(&Actor::Operator, new, NOW).await)
            }
        })
        .await;
    let codes = ["ok", "quota_above_org"];
    assert!(asked.iter().all(|code| codes.contains(code)), "{asked:?}");
    let after = pair.any().org_by_name(&Actor::Operator, &cid, &Slug::default_name(), NOW).await;
    let after = after.expect("is there").quota;
    let spaces = pair.any().spaces_of_org(&Actor::Operator, org, Page::first(99), NOW).await.expect("lists");
    assert!(spaces.items.iter().all(|space| space.quota.fits_in(&after)), "{after:?}");
}

async fn each_that_registers_gets_an_id_of_its_own(pair: Pair) {
    let mut cids = pair
        .race(|n, service| async move {
            let new = customer("Acme", &format!("user{n}"));
            let made = service.register_customer(Some(&Actor::Operator), new, NOW).await;
            made.expect("registers").cid.to_string()
        })
        .await;
    cids.sort_by_key(|cid| (cid.len(), cid.clone()));
    cids.dedup();
    assert_eq!(cids.len(), usize::from(CLIENTS));
    assert_eq!(cids[..3], ["acm", "acme", "acme2"], "no id is skipped");
    let one_name = pair
        .race(|_, service| async move {
            code(service.register_customer(Some(&Actor::Operator), customer("Same", "same"), NOW).await)
        })
        .await;
    assert_eq!(one_name.iter().filter(|code| **code == "ok").count(), 1);
    assert!(one_name.iter().all(|code| ["ok", "username_taken"].contains(code)), "{one_name:?}");
}

async fn nothing_is_made_in_what_is_deleted_at_the_same_time(pair: Pair) {
    let cid = pair.acme().await;
    let org = pair.any().org_by_name(&Actor::Operator, &cid, &Slug::default_name(), NOW).await;
    let org = org.expect("is made").id;
    let name: Slug = parse("s");
    let new = NewSpace { org, name: name.clone(), description: String::new(), quota: Quota::default() };
    pair.any().create_space(&Actor::Operator, new, NOW).await.expect("is made");
    let asked = pair
        .race(|n, service| {
            let (cid, name) = (cid.clone(), name.clone());
            async move {
                if n % 8 == 7 {
                    let op = &Actor::Operator;
                    let any = IfMatch::Any;
                    return code(service.delete_space(op, org, &name, Recursion::Recursive, any, NOW).await);
                }
                let mut place = place(&cid);
                place.space = Some(name);
                let new = site(&format!("site-{n}"));
                code(service.create_site(&Actor::Operator, &place, new, Mode::Commit, NOW).await)
            }
        })
        .await;
    assert!(asked.iter().all(|code| ["ok", "not_found"].contains(code)), "{asked:?}");
    let events =
        pair.any().events(&Actor::Operator, &EventScope::All.into(), 0, 1000).await.expect("read").items;
    let of = |kind| events.iter().filter(move |event| event.event.kind.as_str() == kind).count();
    assert_eq!(of("space_deleted"), 1);
    assert_eq!(of("site_created"), of("site_deleted"), "every site that was made went with its space");
}

async fn no_default_is_made_behind_a_deletion(pair: Pair) {
    let cid = pair.acme().await;
    pair.race(|n, service| {
        let cid = cid.clone();
        async move {
            if n == 9 {
                let grace = Grace::Default;
                let marked = service.delete_customer(&Actor::Operator, &cid, grace, IfMatch::Any, NOW).await;
                return code(marked);
            }
            code(service.org_by_name(&Actor::Operator, &cid, &Slug::default_name(), NOW).await)
        }
    })
    .await;
    let told = kinds(pair.any()).await;
    assert_eq!(told.iter().filter(|kind| **kind == "customer_deletion_requested").count(), 1);
    let marked = told.iter().position(|kind| *kind == "customer_deletion_requested");
    let made = told.iter().position(|kind| *kind == "org_created");
    assert!(made.is_none_or(|made| Some(made) < marked), "{told:?}");
}

async fn what_two_servers_meter_is_billed_once(pair: Pair) {
    const HOUR: i64 = 3600;
    let op = &Actor::Operator;
    let cid = pair.acme().await;
    let made = pair.any().create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    let site = made.expect("is made").site.id;
    let run = move |ended_at| Run {
        part: Part::Gateway(0),
        object: ObjectId::new("gateway"),
        started_at: NOW,
        ended_at,
        previous_end: None,
    };
    let end = at(4 * HOUR + 60);
    pair.race(|n, service| async move {
        let ended_at = (n == 40).then_some(end);
        let seen_at = ended_at.unwrap_or_else(|| at(i64::from(n % 5) * HOUR));
        let look = Look { site, seen_at, complete: true, runs: vec![run(ended_at)], others: Vec::new() };
        service.intents().metered(vec![look]).await.expect("is kept");
    })
    .await;
    pair.any().intents().ended(site, run(Some(end))).await.expect("is kept");
    let of_it = UsageFilter { cid: Some(cid), ..UsageFilter::default() };
    let records = pair.any().usage_records(op, &of_it, 0, 99).await.expect("read").items;
    let mut spans: Vec<_> = records.iter().map(|record| (record.from, record.to)).collect();
    spans.sort_unstable();
    let hours = [0, 1, 2, 3, 4].map(|hour| (at(hour * HOUR), at((hour + 1) * HOUR).min(end)));
    assert_eq!(spans, hours, "each piece once");
}

async fn a_key_that_is_taken_back_while_it_is_renewed_stays_so(pair: Pair) {
    let owner = Identity::Customer(pair.acme().await);
    let new = NewKey { label: String::new(), lifetime: None };
    let key = pair.any().create_key(&Actor::Operator, &owner, new, NOW).await.expect("is made");
    let (id, op) = (key.key.id, &Actor::Operator);
    let asked = pair
        .race(|n, service| async move {
            if n % 16 == 9 {
                return code(service.revoke_key(&Actor::Operator, id, NOW).await);
            }
            code(service.renew_key(&Actor::Operator, id, at(n.into())).await)
        })
        .await;
    assert!(asked.iter().all(|code| ["ok", "wrong_lifecycle"].contains(code)), "{asked:?}");
    assert!(pair.any().key(op, &owner, id).await.expect("is there").revoked);
    assert_eq!(code(pair.any().authenticate_key(key.text.expose(), NOW).await), "unauthenticated");
    let told = kinds(pair.any()).await;
    let count = |kind| told.iter().filter(|told| **told == kind).count();
    let renewed = asked.iter().filter(|code| **code == "ok").count() - usize::from(CLIENTS / 16);
    assert_eq!((count("key_revoked"), count("key_renewed")), (1, renewed));
}

async fn no_org_is_billed_to_an_account_that_is_gone(pair: Pair) {
    let cid = pair.acme().await;
    let account: Slug = parse("team");
    let accounts = |update| CustomerUpdate {
        payment_accounts: [(parse::<Slug>("team"), update)].into(),
        ..CustomerUpdate::default()
    };
    let made = accounts(Some(PaymentUpdate::default()));
    pair.any().update_customer(&Actor::Operator, &cid, made, IfMatch::Any, NOW).await.expect("is made");
    let asked = pair
        .race(|n, service| {
            let (cid, account) = (cid.clone(), account.clone());
            let gone = accounts(None);
            async move {
                let op = &Actor::Operator;
                if n % 8 == 3 {
                    return code(service.update_customer(op, &cid, gone, IfMatch::Any, NOW).await);
                }
                let account = Some(Some(account).filter(|_| n % 2 == 0));
                let update = OrgUpdate { payment_account: account, ..OrgUpdate::default() };
                let default = Slug::default_name();
                code(service.update_org(op, &cid, &default, update, IfMatch::Any, NOW).await)
            }
        })
        .await;
    assert!(asked.iter().all(|code| ["ok", "payment_account_used", "invalid"].contains(code)), "{asked:?}");
    let has = pair.any().customer(&Actor::Operator, &cid).await.expect("is there").payment_accounts;
    let org = pair.any().org_by_name(&Actor::Operator, &cid, &Slug::default_name(), NOW).await;
    let uses = org.expect("is there").payment_account;
    assert!(uses.is_none_or(|account| has.contains_key(&account)), "{has:?}");
}
