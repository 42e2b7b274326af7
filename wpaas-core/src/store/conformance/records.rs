use super::{
    Change, Cid, Customer, EventFilter, EventKind, EventScope, Expect, Lifecycle, Mode, NOW, NewEvent, Org,
    Page, Quota, Record, Site, SiteId, SiteLifecycle, SpaceId, Store, Subject, USAGE, Violation, Who, Write,
    at, cid, customer, defaults, done, event, org, other_space, parse, site, space, violation, with_place,
    write,
};

pub(super) async fn a_change_is_done_whole_or_not_at_all(store: &dyn Store) {
    let customer = customer(&cid(), "acme");
    let subject = Subject::Customer(cid());
    let change = write(Write::InsertCustomer(customer.clone()))
        .write(Write::InsertOrg(org()))
        .write(Write::UpdateOrg(org()))
        .event(event(subject, EventKind::CustomerRegistered));
    let found = Violation::Version { record: Record::Org(org().id), found: Some(1) };
    assert_eq!(violation(store, change).await, found);
    assert_eq!(store.customer(&cid()).await.expect("read"), None);
    assert_eq!(store.org(org().id).await.expect("read"), None);
    assert_eq!(store.last_event().await.expect("read"), 0);

    done(store, write(Write::InsertCustomer(customer.clone()))).await;
    assert_eq!(store.customer(&cid()).await.expect("read"), Some(customer));
}

pub(super) async fn a_dry_run_checks_everything_and_leaves_nothing(store: &dyn Store) {
    let insert = Write::InsertCustomer(customer(&cid(), "acme"));
    let event = event(Subject::Customer(cid()), EventKind::CustomerRegistered);
    let dry = Change { mode: Mode::DryRun, ..write(insert.clone()).event(event) };
    let mut feed = store.feed();
    assert_eq!(store.commit(dry.clone()).await.expect("accepted").customers, [cid()]);
    assert_eq!(store.customer(&cid()).await.expect("read"), None);
    assert_eq!(store.last_event().await.expect("read"), 0);
    assert!(feed.try_recv().is_err(), "nothing happened, so nothing is told");
    done(store, write(insert)).await;
    assert_eq!(violation(store, dry).await, Violation::CidUsed(cid()));
}

pub(super) async fn names_are_unique_in_their_parent(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let other: Cid = parse("oth");
    let same_login = customer(&other, "ACME");
    let taken = |expect| Violation::Taken(Box::new(expect));
    assert_eq!(
        violation(store, write(Write::InsertCustomer(same_login))).await,
        taken(Expect::LoginFree(parse("ACME")))
    );
    done(store, write(Write::InsertCustomer(customer(&other, "other")))).await;
    done(store, write(Write::InsertOrg(defaults::org(&other, NOW)))).await;

    assert_eq!(
        violation(store, write(Write::InsertOrg(org()))).await,
        Violation::Present(Record::Org(org().id))
    );
    let again = Org { id: crate::id::OrgId::new(), ..org() };
    assert_eq!(
        violation(store, write(Write::InsertOrg(again))).await,
        taken(Expect::OrgNameFree(cid(), parse("default")))
    );
    let again = other_space("default");
    assert_eq!(
        violation(store, write(Write::InsertSpace(again))).await,
        taken(Expect::SpaceNameFree(org().id, parse("default")))
    );
    done(store, write(Write::InsertSpace(other_space("b")))).await;
    done(store, write(Write::InsertSite(site("blog"), USAGE))).await;
    let elsewhere = store.space_by_name(org().id, &parse("b")).await.expect("read").expect("is there");
    let again = Site { space: elsewhere.id, ..site("blog") };
    assert_eq!(
        violation(store, write(Write::InsertSite(again, USAGE))).await,
        taken(Expect::SiteNameFree(org().id, parse("blog")))
    );
}

pub(super) async fn an_update_needs_the_version_before(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let second = Org { description: "second".to_owned(), version: 2, ..org() };
    done(store, write(Write::UpdateOrg(second.clone()))).await;
    let late = Org { description: "late".to_owned(), ..second.clone() };
    let found = Violation::Version { record: Record::Org(org().id), found: Some(2) };
    assert_eq!(violation(store, write(Write::UpdateOrg(late))).await, found);
    assert_eq!(store.org(org().id).await.expect("read"), Some(second));
    let gone = Record::Space(SpaceId::new());
    let change = Change::at(NOW).expect(Expect::Version(gone.clone(), 1));
    assert_eq!(violation(store, change).await, Violation::Version { record: gone, found: None });
}

pub(super) async fn a_cid_is_never_given_again(store: &dyn Store) {
    let first = customer(&cid(), "acme");
    done(store, write(Write::InsertCustomer(first.clone()))).await;
    let purged = Customer { lifecycle: Lifecycle::Purged, version: 2, ..first };
    done(store, write(Write::UpdateCustomer(purged))).await;
    let again = write(Write::InsertCustomer(customer(&cid(), "somebody")));
    assert_eq!(violation(store, again).await, Violation::CidUsed(cid()));
    assert_eq!(store.customer_by_username(&parse("acme")).await.expect("read"), None);
    done(store, write(Write::InsertCustomer(customer(&parse("acm2"), "acme")))).await;
    done(store, write(Write::InsertCustomer(customer(&parse("bcm"), "bcm")))).await;
    assert_eq!(store.cids_beginning("acm").await.expect("read"), [cid(), parse("acm2")]);
    let due = Lifecycle::ToBeRemoved { purge_after: NOW, was_suspended: false };
    let second = Customer { lifecycle: due, version: 2, ..customer(&parse("bcm"), "bcm") };
    done(store, write(Write::UpdateCustomer(second))).await;
    assert_eq!(store.customers_to_purge(at(-1), 9).await.expect("read"), []);
    assert_eq!(store.customers_to_purge(NOW, 9).await.expect("read"), [parse("bcm")]);
}

pub(super) async fn what_holds_something_is_not_empty(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let kept = site("blog");
    done(store, write(Write::InsertSite(kept.clone(), USAGE))).await;
    let delete_space = Write::DeleteSpace(space().id, 1);
    let not_empty = |spaces, sites| Violation::NotEmpty { spaces, sites };
    assert_eq!(violation(store, write(delete_space.clone())).await, not_empty(0, 1));
    assert_eq!(violation(store, write(Write::DeleteOrg(org().id, 1))).await, not_empty(1, 1));

    let lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: at(60) };
    let deleting = Site { lifecycle, version: 2, ..kept };
    done(store, write(Write::UpdateSite(deleting, USAGE))).await;
    assert_eq!(violation(store, write(delete_space.clone())).await, not_empty(0, 1));
    let later = Change::at(at(60)).write(delete_space).write(Write::DeleteOrg(org().id, 1));
    done(store, later).await;
    assert_eq!(store.org(org().id).await.expect("read"), None);
    assert_eq!(store.site_facts(&Page::first(9)).await.expect("read")[0].org_name, None);
}

pub(super) async fn lists_go_on_where_they_stopped(store: &dyn Store) {
    with_place(store, Quota::default()).await;
    let mut ids = vec![space().id];
    for n in 0..6 {
        let space = other_space(&format!("s{n}"));
        ids.push(space.id);
        done(store, write(Write::InsertSpace(space))).await;
    }
    ids.sort_unstable();
    let mut page = Page::first(3);
    let mut found = Vec::new();
    loop {
        let spaces = store.spaces(&cid(), None, &page).await.expect("read");
        if spaces.is_empty() {
            break;
        }
        assert!(spaces.len() <= 3, "a piece holds no more than was asked for");
        found.extend(spaces.iter().map(|space| space.id));
        page.after = found.last().copied();
    }
    assert_eq!(found, ids);
    let of_org = store.spaces(&cid(), Some(org().id), &Page::first(100)).await.expect("read");
    assert_eq!(of_org.len(), 7);
    let of_other = store.spaces(&parse("oth"), Some(org().id), &Page::first(100)).await.expect("read");
    assert_eq!(of_other, []);
}

pub(super) async fn events_are_numbered_filtered_and_fed(store: &dyn Store) {
    let mut feed = store.feed();
    let own = event(Subject::Site(SiteId::new()), EventKind::SiteCreated);
    let foreign = NewEvent { cid: Some(parse("oth")), org: None, space: None, ..own.clone() };
    let of_system = NewEvent { cid: None, org: None, space: None, ..own.clone() };
    for event in [&own, &foreign, &of_system, &own] {
        done(store, Change::at(NOW).event(event.clone())).await;
    }
    let Subject::Site(site) = own.subject else { panic!("a site's event") };
    let numbers = numbers(store).await;
    for (filter, expected) in [
        (EventScope::All, vec![1, 2, 3, 4]),
        (EventScope::Customer(cid()), vec![1, 4]),
        (EventScope::Org(cid(), org().id), vec![1, 4]),
        (EventScope::Org(parse("oth"), org().id), vec![]),
        (EventScope::Space(cid(), space().id), vec![1, 4]),
        (EventScope::Site(cid(), site), vec![1, 4]),
        (EventScope::Site(parse("oth"), site), vec![2]),
    ] {
        numbered(store, filter.into(), &numbers, &expected).await;
    }
    let after = store.events(&EventScope::All.into(), numbers[0], 2).await.expect("read");
    assert_eq!(after.iter().map(|event| event.seq).collect::<Vec<_>>(), numbers[1..3]);
    assert_eq!((&after[0].event, after[0].at), (&foreign, NOW));
    assert_eq!(store.last_event().await.expect("read"), numbers[3]);
    assert_eq!(feed.try_recv().expect("was told").events[0].seq, numbers[0]);
}

pub(super) async fn events_are_found_by_kind_person_and_time(store: &dyn Store) {
    let created = event(Subject::Customer(cid()), EventKind::CustomerRegistered);
    let created = NewEvent { who: Who::Anonymous, ..created };
    let by_system = NewEvent { who: Who::System, kind: EventKind::CustomerUpdated, ..created.clone() };
    done(store, Change::at(NOW).event(created)).await;
    done(store, Change::at(at(60)).event(by_system)).await;
    let numbers = numbers(store).await;
    let all = || EventFilter::from(EventScope::All);
    let of_customer = || EventFilter::from(EventScope::Customer(cid()));
    let kind = Some(EventKind::CustomerRegistered);
    for (filter, expected) in [
        (all(), vec![1, 2]),
        (EventFilter { kind, ..all() }, vec![1]),
        (EventFilter { kind, ..of_customer() }, vec![1]),
        (EventFilter { who: Some(Who::System), ..of_customer() }, vec![2]),
        (EventFilter { who: Some(Who::System), kind, ..all() }, vec![]),
        (EventFilter { since: Some(at(60)), ..all() }, vec![2]),
        (EventFilter { since: Some(at(61)), ..of_customer() }, vec![]),
    ] {
        numbered(store, filter, &numbers, &expected).await;
    }
}

/// The numbers of all events: they grow.
async fn numbers(store: &dyn Store) -> Vec<u64> {
    let all = store.events(&EventScope::All.into(), 0, 99).await.expect("read");
    let numbers: Vec<u64> = all.iter().map(|event| event.seq).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    numbers
}

/// The filter finds the first, second, … of these numbers.
async fn numbered(store: &dyn Store, filter: EventFilter, numbers: &[u64], expected: &[usize]) {
    let found = store.events(&filter, 0, 10).await.expect("read");
    let expected: Vec<u64> = expected.iter().map(|nth| numbers[nth - 1]).collect();
    assert_eq!(found.iter().map(|event| event.seq).collect::<Vec<_>>(), expected, "{filter:?}");
    assert!(found.iter().all(|event| filter.matches(event)));
}
