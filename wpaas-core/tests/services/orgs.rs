use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::account::{OrgRole, RoleGrant};
use wpaas_core::converge::{Intents as _, Wanted};
use wpaas_core::name::Slug;
use wpaas_core::quota::Quota;
use wpaas_core::service::{
    EventScope, Grace, IfMatch, Mode, NewOrg, NewSite, NewSpace, OrgUpdate, Page, Recursion, SitePath,
    SitePlace, SiteUpdate,
};

use crate::{NOW, World, at, code, customer, parse, path, place, site, user};

on_each_store! {
    a_default_is_made_once_however_many_ask
    quotas_hold
    what_one_may_not_see_is_not_there
    an_org_goes_with_all_that_is_inside
}

async fn a_default_is_made_once_however_many_ask(world: World) {
    let (cid, actor) = world.acme().await;
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let (service, cid, actor) = (world.service.clone(), cid.clone(), actor.clone());
        tasks.spawn(async move {
            let org = service.org_by_name(&actor, &cid, &Slug::default_name(), at(n)).await.expect("is made");
            let space = service.space_by_name(&actor, org.id, &Slug::default_name(), at(n)).await;
            (org, space.expect("is made"))
        });
    }
    let mut found = tasks.join_all().await;
    found.dedup();
    assert_eq!(found.len(), 1);
    assert_eq!(world.kinds().await, ["customer_registered", "org_created", "space_created"]);
    let unknown = world.org_by_name(&Actor::Operator, &parse("nob"), &Slug::default_name(), NOW).await;
    assert_eq!(code(unknown), "not_found");
    world.delete_customer(&actor, &cid, Grace::Default, IfMatch::Any, NOW).await.expect("is marked");
    assert_eq!(world.org(&actor, found[0].0.id, NOW).await.expect("is stored").cid, cid);

    let other =
        world.register_customer(Some(&Actor::Operator), customer("Other", "o"), NOW).await.expect("ok");
    let other = (other.cid.clone(), Actor::Customer(other.cid));
    world.delete_customer(&other.1, &other.0, Grace::Default, IfMatch::Any, NOW).await.expect("is marked");
    let late = world.org_by_name(&other.1, &other.0, &Slug::default_name(), NOW).await;
    assert_eq!(code(late), "not_found", "no default is made for one that is to be removed");
}

async fn quotas_hold(world: World) {
    let (cid, actor) = world.acme().await;
    let op = &Actor::Operator;
    let org = world.org_by_name(&actor, &cid, &Slug::default_name(), NOW).await.expect("is made");
    let quota = Quota { wordpress_instances: Some(3), ..Quota::default() };
    let update = OrgUpdate { quota: Some(quota), ..OrgUpdate::default() };
    world.update_org(&actor, &cid, &org.name, update, IfMatch::Any, NOW).await.expect("is set");
    let above = NewSpace {
        org: org.id,
        name: parse("wide"),
        description: String::new(),
        quota: Quota { wordpress_instances: Some(4), ..Quota::default() },
    };
    assert_eq!(code(world.create_space(&actor, above, NOW).await), "quota_above_org");

    let two = NewSite { num_instances: Some(2), ..site("a") };
    world.create_site(op, &place(&cid), two.clone(), Mode::Commit, NOW).await.expect("fits");
    let more = NewSite { name: parse("b"), ..two };
    let refused =
        world.create_site(op, &place(&cid), more.clone(), Mode::Commit, NOW).await.expect_err("is refused");
    let chain = format!("{refused}: {}", std::error::Error::source(&refused).expect("a source"));
    assert_eq!(chain, "the quota of the org does not allow it: wordpress_instances: 4 wanted, 3 allowed");
    let grow = SiteUpdate { num_instances: Some(4), ..SiteUpdate::default() };
    let site = path(&cid, "a");
    let grown = world.update_site(op, &site, grow, IfMatch::Any, Mode::Commit, NOW).await;
    assert_eq!(code(grown), "quota_exceeded");
    // What is deleted frees its instances, and has to find room to come back.
    world.delete_site(op, &site, Grace::Default, IfMatch::Any, Mode::Commit, NOW).await.expect("is deleted");
    world.create_site(op, &place(&cid), more, Mode::Commit, NOW).await.expect("fits now");
    assert_eq!(code(world.restore_site(op, &site, Mode::Commit, NOW).await), "quota_exceeded");
}

async fn what_one_may_not_see_is_not_there(world: World) {
    let (cid, actor) = world.acme().await;
    let op = &Actor::Operator;
    let new = |name: &str| NewOrg {
        cid: cid.clone(),
        name: parse(name),
        description: String::new(),
        quota: Quota::default(),
        spaces: vec![parse("s")],
    };
    let seen = world.create_org(&actor, new("seen"), NOW).await.expect("is made");
    world.create_org(&actor, new("hidden"), NOW).await.expect("is made");
    let role = RoleGrant::Org { org: seen.id, role: OrgRole::Auditor };
    let (ada, _) = world.create_user(&actor, user(&cid, "ada", vec![role]), NOW).await.expect("is made");
    let ada = Actor::User { cid: cid.clone(), id: ada.id, roles: ada.roles };
    let place = |org: &str| SitePlace { cid: cid.clone(), org: Some(parse(org)), space: Some(parse("s")) };
    for org in ["seen", "hidden"] {
        world.create_site(op, &place(org), site("blog"), Mode::Commit, NOW).await.expect("is made");
    }
    let read = async |actor: &Actor, org: &str| {
        let path = SitePath { place: place(org), name: parse("blog") };
        world.site(actor, &path).await.map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert_eq!(read(&ada, "seen").await, "");
    assert_eq!(read(&ada, "hidden").await, read(&ada, "missing").await);
    assert_eq!(read(&Actor::Customer(parse("oth")), "seen").await, "there is no such customer");
    let create = world.create_site(&ada, &place("seen"), site("b"), Mode::Commit, NOW).await;
    assert_eq!(code(create), "forbidden");
    let listed = world.orgs(&ada, &cid, Page::first(9), NOW).await.expect("lists");
    assert_eq!(listed.items.iter().map(|org| org.name.as_str()).collect::<Vec<_>>(), ["seen"]);
    assert_eq!(code(world.customers(&actor, Page::first(9)).await), "forbidden");
    assert_eq!(code(world.events(&ada, &EventScope::Org(cid.clone(), seen.id).into(), 0, 9).await), "ok");
    assert_eq!(code(world.events(&ada, &EventScope::Customer(cid.clone()).into(), 0, 9).await), "forbidden");

    let spaces = world.spaces_of_customer(&ada, &cid, Page::first(9), NOW).await.expect("lists");
    assert!(!spaces.items.is_empty() && spaces.items.iter().all(|space| space.org == seen.id), "{spaces:?}");
    world.create_user(&actor, user(&cid, "bob", Vec::new()), NOW).await.expect("is made");
    let users = world.users(&ada, &cid, Page::first(9)).await.expect("lists");
    assert_eq!(users.items.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["ada"]);

    // A page at a time, nothing else is counted or named either.
    for name in ["zoe", "yan", "xia"] {
        world.create_user(&actor, user(&cid, name, Vec::new()), NOW).await.expect("is made");
        world.create_org(&actor, new(name), NOW).await.expect("is made");
    }
    let orgs = world.orgs(&ada, &cid, Page::first(1), NOW).await.expect("lists");
    assert_eq!((orgs.items.len(), orgs.next), (1, None));
    let users = world.users(&ada, &cid, Page::first(1)).await.expect("lists");
    assert_eq!((users.items.len(), users.next), (1, None));
    let (mut page, mut paged) = (Page::first(1), Vec::new());
    loop {
        let listed = world.spaces_of_customer(&ada, &cid, page, NOW).await.expect("lists");
        let [space] = &listed.items[..] else { panic!("a page without anything: {listed:?}") };
        paged.push(space.clone());
        let Some(next) = listed.next else { break };
        assert_eq!(next, space.id);
        page = Page::after(next, 1);
    }
    assert_eq!(paged, spaces.items);

    // What is another customer's is as good as absent.
    let stranger = world.register_customer(Some(op), customer("Stranger", "stranger"), NOW).await;
    let other = NewOrg { cid: stranger.expect("registers").cid, ..new("theirs") };
    let theirs = world.create_org(op, other, NOW).await.expect("is made").id;
    let mut told = Vec::new();
    for org in [wpaas_core::id::OrgId::new(), theirs] {
        let elsewhere = RoleGrant::Org { org, role: OrgRole::Manager };
        let granted = world.create_user(&actor, user(&cid, "eve", vec![elsewhere]), NOW).await;
        let refused = granted.expect_err("is not the customer's");
        told.push(refused.to_string().replace(&org.to_string(), "ORG"));
        assert_eq!(code::<()>(Err(refused)), "invalid");
    }
    assert_eq!(told[0], told[1]);
}

async fn an_org_goes_with_all_that_is_inside(world: World) {
    let (cid, actor) = world.acme().await;
    let new = NewOrg {
        cid: cid.clone(),
        name: parse("team"),
        description: String::new(),
        quota: Quota::default(),
        spaces: vec![parse("s")],
    };
    world.create_org(&actor, new.clone(), NOW).await.expect("is made");
    let place = SitePlace { cid: cid.clone(), org: Some(parse("team")), space: Some(parse("s")) };
    let made =
        world.create_site(&Actor::Operator, &place, site("blog"), Mode::Commit, NOW).await.expect("ok");
    let name: Slug = parse("team");
    let delete = async |recursion| world.delete_org(&actor, &cid, &name, recursion, IfMatch::Any, NOW).await;
    let refused = delete(Recursion::OnlyEmpty).await.expect_err("is refused");
    assert_eq!(
        refused.to_string(),
        "the org holds space s, site blog: delete these first, or use recursive=true"
    );
    delete(Recursion::Recursive).await.expect("goes");
    assert_eq!(code(world.org_by_name(&actor, &cid, &name, NOW).await), "not_found");
    let intents = world.intents().with_clock(|| NOW);
    assert_eq!(intents.get(made.site.id).await.expect("read").expect("is known").wanted, Wanted::Gone);
    world.create_org(&actor, new, NOW).await.expect("the name is free");

    let default = Slug::default_name();
    let delete =
        async |recursion| world.delete_org(&actor, &cid, &default, recursion, IfMatch::Any, NOW).await;
    assert_eq!(code(delete(Recursion::OnlyEmpty).await), "default_org");
    assert_eq!(code(delete(Recursion::Recursive).await), "ok");
}
