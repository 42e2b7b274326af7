use std::collections::BTreeMap;

use futures::StreamExt as _;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::account::{Lifecycle, Payment};
use wpaas_core::converge::{Intents as _, Wanted};
use wpaas_core::name::Slug;
use wpaas_core::service::{CustomerUpdate, Grace, IfMatch, Mode, OrgUpdate, PaymentUpdate, Purge, SitePhase};

use crate::{NOW, World, at, code, customer, parse, path, place, site, user};

on_each_store! {
    many_that_register_at_once_get_ids_of_their_own
    suspended_sites_rest_and_come_back
    orgs_are_billed_to_accounts_of_their_customer
    a_customer_is_removed_from_the_inside_out
}

async fn many_that_register_at_once_get_ids_of_their_own(world: World) {
    let mut tasks = JoinSet::new();
    for n in 0..32 {
        let service = world.service.clone();
        let new = customer("Acme", &format!("user{n}"));
        tasks.spawn(async move {
            let made = service.register_customer(Some(&Actor::Operator), new, NOW).await;
            made.expect("registers").cid.to_string()
        });
    }
    let mut cids = tasks.join_all().await;
    cids.sort_by_key(|cid| (cid.len(), cid.clone()));
    cids.dedup();
    assert_eq!(cids.len(), 32);
    assert_eq!(cids[..3], ["acm", "acme", "acme2"]);
    let anonymous = world.register_customer(None, customer("B", "b"), NOW).await;
    assert_eq!(code(anonymous), "forbidden");
    let again = world.register_customer(Some(&Actor::Operator), customer("B", "USER1"), NOW).await;
    assert_eq!(code(again), "username_taken");
}

async fn orgs_are_billed_to_accounts_of_their_customer(world: World) {
    let (cid, owner) = world.acme().await;
    let (op, default) = (&Actor::Operator, parse::<Slug>("default"));
    let accounts = |update| CustomerUpdate {
        payment_accounts: BTreeMap::from([(parse("team"), update)]),
        ..CustomerUpdate::default()
    };
    let change = async |actor: &Actor, update: CustomerUpdate| {
        world.update_customer(actor, &cid, update, IfMatch::Any, NOW).await
    };
    let bill = async |actor: &Actor, account: Option<&str>| {
        let update = OrgUpdate { payment_account: Some(account.map(parse)), ..OrgUpdate::default() };
        world.update_org(actor, &cid, &default, update, IfMatch::Any, NOW).await
    };
    let paid = PaymentUpdate { identifier: Some(Some("cus_1".to_owned())), status_id: None };
    assert_eq!(code(bill(op, Some("team")).await), "invalid");
    assert_eq!(code(change(&owner, accounts(Some(paid.clone()))).await), "forbidden");
    let made = change(op, accounts(Some(paid))).await.expect("is made");
    let expected = Payment { identifier: Some("cus_1".to_owned()), status_id: None };
    assert_eq!(made.payment_accounts, BTreeMap::from([(parse("team"), expected)]));
    assert_eq!(made.payment, Payment::default());
    assert_eq!(code(bill(&owner, Some("team")).await), "forbidden");
    let org = bill(op, Some("team")).await.expect("is billed there");
    assert_eq!(org.payment_account, Some(parse("team")));

    let failing = PaymentUpdate { identifier: None, status_id: Some(Some("past_due".to_owned())) };
    let changed = change(op, accounts(Some(failing))).await.expect("is changed");
    let expected = Payment { identifier: Some("cus_1".to_owned()), status_id: Some("past_due".to_owned()) };
    assert_eq!(changed.payment_accounts.values().collect::<Vec<_>>(), [&expected]);
    assert_eq!(code(change(op, accounts(None)).await), "payment_account_used");
    bill(op, None).await.expect("goes back");
    assert!(change(op, accounts(None)).await.expect("is taken away").payment_accounts.is_empty());
    let many = (0..101).map(|n| (parse(&format!("a{n}")), Some(PaymentUpdate::default()))).collect();
    let many = CustomerUpdate { payment_accounts: many, ..CustomerUpdate::default() };
    assert_eq!(code(change(op, many).await), "invalid");
}

async fn suspended_sites_rest_and_come_back(world: World) {
    let (cid, actor) = world.acme().await;
    let op = &Actor::Operator;
    let made = world.create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await.expect("is made");
    let intents = world.intents();
    let mut changes = intents.changes();
    assert_eq!(code(world.suspend_customer(&actor, &cid, NOW).await), "forbidden");
    world.suspend_customer(op, &cid, NOW).await.expect("is suspended");
    assert_eq!(changes.next().await, Some(made.site.id));
    assert_eq!(intents.page(None, 9).await.expect("read")[0].wanted, Wanted::Rest);
    let rests = world.site(&actor, &path(&cid, "blog")).await.expect("reads go on");
    assert_eq!(rests.phase(), SitePhase::Suspended);
    for written in [
        code(world.create_site(op, &place(&cid), site("b"), Mode::Commit, NOW).await),
        code(world.update_customer(&actor, &cid, CustomerUpdate::default(), IfMatch::Any, NOW).await),
        code(world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await),
        code(world.delete_customer(&actor, &cid, Grace::Default, IfMatch::Any, NOW).await),
    ] {
        assert_eq!(written, "customer_suspended");
    }
    world.resume_customer(op, &cid, NOW).await.expect("is resumed");
    assert!(matches!(intents.page(None, 9).await.expect("read")[0].wanted, Wanted::Run(_)));
}

async fn a_customer_is_removed_from_the_inside_out(world: World) {
    let (cid, actor) = world.acme().await;
    let made = world.create_site(&Actor::Operator, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    let id = made.expect("is made").site.id;
    let (_, key) = world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let grace = Grace::Of(SignedDuration::from_secs(60));
    world.delete_customer(&actor, &cid, grace, IfMatch::Any, NOW).await.expect("is marked");
    let written = world.create_user(&actor, user(&cid, "eve", Vec::new()), NOW).await;
    assert_eq!(code(written), "customer_to_be_removed");
    world.cancel_customer_deletion(&actor, &cid, at(59)).await.expect("is cancelled");
    world.delete_customer(&actor, &cid, grace, IfMatch::Any, NOW).await.expect("is marked");
    assert_eq!(world.purge_customer(&cid, at(59)).await.expect("is early"), Purge::Done);
    assert_eq!(world.customers_to_purge(9, at(60)).await.expect("read"), std::slice::from_ref(&cid));

    let purge = async || world.purge_customer(&cid, at(60)).await.expect("goes on");
    assert_eq!(purge().await, Purge::More);
    assert_eq!(purge().await, Purge::Waiting { sites: 1 });
    let intents = world.intents().with_clock(|| at(60));
    assert_eq!(intents.get(id).await.expect("read").expect("is known").wanted, Wanted::Gone);
    intents.purged(id).await.expect("is purged");
    assert_eq!([purge().await, purge().await, purge().await], [Purge::More, Purge::More, Purge::Done]);
    assert_eq!(code(world.authenticate_key(key.text.expose(), NOW).await), "unauthenticated");
    let left = world.customer(&Actor::Operator, &cid).await.expect("its record stays");
    assert_eq!((left.lifecycle, left.email.as_str()), (Lifecycle::Purged, "removed@example.invalid"));
    let next = world.register_customer(Some(&Actor::Operator), customer("Acme", "acme"), NOW).await;
    assert_eq!(next.expect("registers").cid.as_str(), "acme", "the id is never given again");
}
