use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::converge::{Act, Intents as _, Part, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::secret::{SecretError, SecretName, SecretRef, Secrets as _};
use wpaas_core::service::{
    EventScope, Grace, IfMatch, Mode, NewSite, Page, ServiceError, SiteFilter, SitePhase, SiteUpdate,
};
use wpaas_core::store::Who;

use crate::{NOW, World, at, code, parse, path, place, secret, site};

on_each_store! {
    a_site_makes_its_place_and_its_secrets
    a_deleted_site_rests_comes_back_and_goes
    a_dry_run_leaves_nothing
    lists_are_filtered_and_go_on
    an_update_of_an_old_version_is_refused
    what_is_done_to_a_site_is_an_event_of_it
}

async fn a_site_makes_its_place_and_its_secrets(world: World) {
    let (cid, actor) = world.acme().await;
    let create = world.create_site(&actor, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    assert_eq!(code(create), "forbidden", "a customer's own identity makes no sites");
    let made = world.create_site(&Actor::Operator, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    let made = made.expect("is made");
    assert_eq!(made.names.platform.as_str(), "blog.acm.www.wpaas.localhost");
    assert_eq!(world.kinds().await, ["customer_registered", "org_created", "space_created", "site_created"]);
    let again = world.create_site(&Actor::Operator, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    assert_eq!(code(again), "site_name_taken");
    let open = NewSite { admin_password: None, ..site("other") };
    let open = world.create_site(&Actor::Operator, &place(&cid), open, Mode::Commit, NOW).await;
    assert_eq!(open.expect_err("is refused").to_string(), "admin_password: must be given");

    let secrets = world.secrets();
    let of = |name, version| SecretRef { site: made.site.id, name, version };
    let salt = secrets.get(&of(SecretName::Salt, 1)).await.expect("is kept");
    let password = secrets.get(&of(SecretName::DatabasePassword, 1)).await.expect("is kept");
    assert!(salt.expose().len() >= 32 && salt != password);
    let hash = secrets.get(&of(SecretName::AdminHash, 1)).await.expect("is kept");
    assert!(hash.expose().starts_with("$2y$"));
    let token = secrets.get(&of(SecretName::ReportToken(Part::Gateway(0)), 1)).await.expect("is derived");
    assert!(world.verify_report_token(made.site.id, Part::Gateway(0), token.expose()));
    let absent = secrets.get(&of(SecretName::AdminHash, 2)).await;
    assert!(matches!(absent, Err(SecretError::Absent { version: 2, .. })));

    let update = SiteUpdate { admin_password: Some(secret("other")), ..SiteUpdate::default() };
    let site = path(&cid, "blog");
    let set = world
        .update_site(&Actor::Operator, &site, update, IfMatch::Any, Mode::Commit, NOW)
        .await
        .expect("is set");
    assert_eq!(set.site.spec.admin.password_version, 2);
    assert_eq!(
        world.hash_admin_passwords(9).await.expect("is done"),
        1,
        "the first was hashed when it was needed"
    );
    assert_eq!(world.hash_admin_passwords(9).await.expect("is done"), 0, "none is left");
    let gone = secrets.get(&of(SecretName::AdminPassword, 2)).await;
    assert!(matches!(gone, Err(SecretError::Absent { .. })), "the password itself is kept no longer");
    assert_ne!(secrets.get(&of(SecretName::AdminHash, 2)).await.expect("is kept"), hash);
}

async fn a_deleted_site_rests_comes_back_and_goes(world: World) {
    fn clock() -> Timestamp {
        at(100)
    }
    let (cid, _) = world.acme().await;
    let op = &Actor::Operator;
    let made = world.create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await.expect("is made");
    let (id, path) = (made.site.id, path(&cid, "blog"));
    let intents = world.intents().with_clock(clock);
    let wanted = async || intents.get(id).await.expect("read").expect("is known").wanted;
    let mut changes = intents.changes();
    let delete = async |seconds| {
        let grace = Grace::Of(SignedDuration::from_secs(seconds));
        world.delete_site(op, &path, grace, IfMatch::Any, Mode::Commit, NOW).await.expect("is deleted")
    };
    assert!(matches!(wanted().await, Wanted::Run(_)));
    assert_eq!(delete(200).await.phase(), SitePhase::Deleting);
    assert_eq!(changes.next().await, Some(id));
    assert_eq!(wanted().await, Wanted::Rest);
    assert!(intents.purged(id).await.is_err(), "its grace is not over");
    let again = world.create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    assert_eq!(code(again), "name_in_deletion");
    let restored = world.restore_site(op, &path, Mode::Commit, at(150)).await.expect("is restored");
    assert_eq!((restored.site.generation, restored.phase()), (3, SitePhase::Progressing));
    assert!(matches!(wanted().await, Wanted::Run(_)));

    delete(0).await;
    assert_eq!(wanted().await, Wanted::Gone);
    assert_eq!(code(world.restore_site(op, &path, Mode::Commit, at(1)).await), "not_in_deletion");
    intents.purged(id).await.expect("is purged");
    intents.purged(id).await.expect("once more changes nothing");
    assert_eq!(wanted().await, Wanted::Gone);
    assert_eq!(intents.page(None, 9).await.expect("read"), []);
    assert_eq!(code(world.site(op, &path).await), "not_found");
    let salt = SecretRef { site: id, name: SecretName::Salt, version: 1 };
    assert!(matches!(world.secrets().get(&salt).await, Err(SecretError::Absent { .. })));
    let anew = world.create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await.expect("is free");
    assert_ne!(anew.site.id, id);
    assert_eq!(intents.get(SiteId::new()).await.expect("read"), None);
}

async fn a_dry_run_leaves_nothing(world: World) {
    let (cid, _) = world.acme().await;
    let op = &Actor::Operator;
    let dry =
        world.create_site(op, &place(&cid), site("blog"), Mode::DryRun, NOW).await.expect("would be made");
    let Wanted::Run(run) = world.intent_of(&dry, NOW).wanted else { panic!("would run") };
    assert_eq!(run.authorities, ["blog.acm.www.wpaas.localhost"]);
    assert_eq!(world.kinds().await, ["customer_registered"]);
    assert_eq!(code(world.site(op, &path(&cid, "blog")).await), "not_found");
}

async fn lists_are_filtered_and_go_on(world: World) {
    let (cid, actor) = world.acme().await;
    for n in 0..5 {
        let tier = if n % 2 == 0 { "gold" } else { "free" };
        let labels = BTreeMap::from([("tier".to_owned(), tier.to_owned())]);
        let new = NewSite { labels, ..site(&format!("site-{n}")) };
        world.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await.expect("is made");
    }
    let names = async |filter: &SiteFilter, limit| {
        let mut page = Page::first(limit);
        let mut names = Vec::new();
        loop {
            let listed = world.sites(&actor, &place(&cid), filter, page).await.expect("lists");
            assert!(listed.items.len() <= limit);
            names.extend(listed.items.iter().map(|view| view.site.name.to_string()));
            page.after = listed.next;
            if page.after.is_none() {
                return names;
            }
        }
    };
    let gold =
        SiteFilter { labels: vec![("tier".to_owned(), Some("gold".to_owned()))], ..SiteFilter::default() };
    assert_eq!(names(&SiteFilter::default(), 2).await.len(), 5);
    assert_eq!(names(&gold, 2).await, ["site-0", "site-2", "site-4"]);
    assert_eq!(names(&gold, 3).await, ["site-0", "site-2", "site-4"]);
    let one = SiteFilter { name: Some(parse("site-3")), ..SiteFilter::default() };
    assert_eq!(names(&one, 9).await, ["site-3"]);
    let ready = SiteFilter { phase: Some(SitePhase::Ready), ..SiteFilter::default() };
    assert_eq!(names(&ready, 9).await, Vec::<String>::new());
}

async fn an_update_of_an_old_version_is_refused(world: World) {
    let (cid, _) = world.acme().await;
    let op = &Actor::Operator;
    world.create_site(op, &place(&cid), site("blog"), Mode::Commit, NOW).await.expect("is made");
    let path = path(&cid, "blog");
    let update = async |instances, if_match| {
        let update = SiteUpdate { num_instances: Some(instances), ..SiteUpdate::default() };
        world.update_site(op, &path, update, if_match, Mode::Commit, NOW).await
    };
    assert_eq!(update(2, IfMatch::Version(1)).await.expect("fits").site.generation, 2);
    assert!(matches!(
        update(3, IfMatch::Version(1)).await,
        Err(ServiceError::VersionMismatch { current: 2 })
    ));
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (service, path) = (world.service.clone(), path.clone());
        tasks.spawn(async move {
            let labels = Some(BTreeMap::from([("n".to_owned(), n.to_string())]));
            let update = SiteUpdate { labels, ..SiteUpdate::default() };
            let done =
                service.update_site(&Actor::Operator, &path, update, IfMatch::Any, Mode::Commit, NOW).await;
            done.expect("is done").site.generation
        });
    }
    let mut generations = tasks.join_all().await;
    generations.sort_unstable();
    assert_eq!(generations, (3..23).collect::<Vec<_>>(), "no update is lost");
}

async fn what_is_done_to_a_site_is_an_event_of_it(world: World) {
    let (cid, _) = world.acme().await;
    let made = world.create_site(&Actor::Operator, &place(&cid), site("blog"), Mode::Commit, NOW).await;
    let made = made.expect("is made").site;
    let act = Act {
        step: "start wordpress-0".to_owned(),
        found: "does not run".to_owned(),
        why: "does not run".to_owned(),
    };
    world.intents().acted(made.id, 1, vec![act.clone()]).await.expect("is told");
    world.intents().acted(SiteId::new(), 1, vec![act]).await.expect("of nobody's site nothing is");
    let of_site = EventScope::Site(cid, made.id).into();
    let told = world
        .events(&Actor::Operator, &of_site, 0, 9)
        .await
        .expect("read")
        .items
        .pop()
        .expect("is told")
        .event;
    assert_eq!(
        (told.kind.as_str(), told.org, told.space),
        ("site_steps_taken", Some(made.org), Some(made.space))
    );
    let steps = json!([{ "step": "start wordpress-0", "found": "does not run", "why": "does not run" }]);
    assert_eq!((told.who, told.detail), (Who::System, json!({ "generation": 1, "steps": steps })));
    let all = world.events(&Actor::Operator, &EventScope::All.into(), 0, 9).await.expect("read").items;
    assert_eq!(all.len(), 5);
}
