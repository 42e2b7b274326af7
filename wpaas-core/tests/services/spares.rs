//! Spares: what is made before anybody asks for it, and who gets it.

use std::sync::Arc;

use wpaas_core::access::Actor;
use wpaas_core::claim::Tenure;
use wpaas_core::converge::{Intents as _, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::quota::Quota;
use wpaas_core::secret::{SecretName, SecretRef, Secrets as _};
use wpaas_core::service::{IfMatch, Mode, NewSite, OrgUpdate, Service, Settings};
use wpaas_core::site::{Condition, ConditionKind, DatabaseSize, SiteStatus, Spare, Truth};
use wpaas_core::store::memory::MemoryStore;

use crate::{NOW, World, at, customer, place, set, settings, site};

/// As the converger finds a spare that is up.
fn up() -> SiteStatus {
    let condition = |kind, status| Condition {
        kind,
        status,
        reason: "Reason".into(),
        message: "A message".into(),
        since: NOW,
    };
    SiteStatus {
        observed_generation: Spare::GENERATION,
        num_instances: 0,
        database_instances: 1,
        address: None,
        conditions: vec![
            condition(ConditionKind::Progressing, Truth::False),
            condition(ConditionKind::DatabaseReady, Truth::True),
            condition(ConditionKind::AddressReady, Truth::True),
        ],
        parts: Vec::new(),
        waiting: Vec::new(),
        last_error: None,
        next_try: None,
        wordpress_version: None,
        challenge: None,
    }
}

fn but(kind: ConditionKind, truth: Truth) -> SiteStatus {
    let mut status = up();
    status.conditions.iter_mut().filter(|condition| condition.kind == kind).for_each(|it| it.status = truth);
    status
}

async fn found(service: &Service, id: SiteId, status: &SiteStatus) {
    service.intents().record(id, status).await.expect("kept");
}

async fn kept(service: &Service) -> Vec<SiteId> {
    service.spares().await.expect("read").0.into_iter().map(|spare| spare.id).collect()
}

/// As many as are wanted, all of them up.
async fn stocked(service: &Service) -> Vec<SiteId> {
    assert!(service.keep_spares(NOW).await.expect("made"));
    let all = kept(service).await;
    for id in &all {
        found(service, *id, &up()).await;
    }
    all
}

async fn create(service: &Service, cid: &Cid, new: NewSite, mode: Mode) -> Result<SiteId, &'static str> {
    let answer = service.create_site(&Actor::Operator, &place(cid), new, mode, at(60)).await;
    answer.map(|view| view.site.id).map_err(|error| error.code())
}

async fn made(service: &Service, cid: &Cid, name: &str) -> SiteId {
    create(service, cid, site(name), Mode::Commit).await.expect("made")
}

async fn password(service: &Service, site: SiteId) -> String {
    let secret = SecretRef { site, name: SecretName::DatabasePassword, version: 1 };
    service.secrets().get(&secret).await.expect("it has one").expose().to_owned()
}

fn wants(spares: usize) -> impl FnOnce(&mut Settings) {
    move |settings| settings.spares = spares
}

fn three(name: &str) -> NewSite {
    NewSite { database: Some(DatabaseSize::Three), ..site(name) }
}

on_each_store! {
    a_new_site_takes_a_spare_that_is_up
    what_is_not_seen_to_be_up_is_taken_by_nobody
    a_request_that_makes_no_site_takes_none
    there_are_as_many_as_are_wanted
}

async fn a_new_site_takes_a_spare_that_is_up(world: World) {
    let world = world.set(wants(1));
    let (cid, _) = world.acme().await;
    let spare = stocked(&world).await[0];
    let intent = world.intents().get(spare).await.expect("read").expect("wanted");
    assert_eq!((intent.generation, intent.version), (0, 0));
    let Wanted::Run(run) = &intent.wanted else { panic!("{intent:?}") };
    assert_eq!((run.wordpress, run.database, run.authorities.len()), (0, DatabaseSize::One, 0));
    assert_eq!(world.intents().page(None, 9).await.expect("read"), [intent]);
    let its_password = password(&world, spare).await;
    let other = set(world.store.clone(), world.settings().clone());
    found(&other, spare, &up()).await;

    assert_eq!(made(&world, &cid, "blog").await, spare);
    assert_ne!(made(&other, &cid, "quick").await, spare, "another server was quicker");
    assert_eq!(password(&world, spare).await, its_password);
    let intent = world.intents().get(spare).await.expect("read").expect("wanted");
    assert_eq!((intent.generation, intent.version), (1, 1));
    let Wanted::Run(run) = intent.wanted else { panic!("{intent:?}") };
    assert_eq!((run.wordpress, run.title.as_str()), (1, "blog"));

    assert_ne!(made(&world, &cid, "shop").await, spare, "there was one");
    assert_eq!(world.intents().page(None, 9).await.expect("read").len(), 3);
    let kinds = world.kinds().await;
    let of_sites = kinds.iter().filter(|kind| kind.starts_with("site_")).count();
    assert_eq!(of_sites, 3, "what happens to a spare is nobody's to know: {kinds:?}");
}

async fn what_is_not_seen_to_be_up_is_taken_by_nobody(world: World) {
    let world = world.set(wants(1));
    let (cid, _) = world.acme().await;
    let spare = stocked(&world).await[0];
    let not_up = [
        but(ConditionKind::DatabaseReady, Truth::Unknown),
        but(ConditionKind::AddressReady, Truth::False),
        but(ConditionKind::Progressing, Truth::True),
        SiteStatus { observed_generation: 1, ..up() },
    ];
    for (n, status) in not_up.iter().enumerate() {
        found(&world, spare, &up()).await;
        found(&world, spare, status).await;
        assert_ne!(made(&world, &cid, &format!("blog-{n}")).await, spare, "{status:?}");
    }
    found(&world, spare, &up()).await;
    let large = create(&world, &cid, three("large"), Mode::Commit).await.expect("made");
    assert_ne!(large, spare, "its database is of another size");
    world.tends_spares_by(Tenure::believing(7));
    assert_ne!(made(&world, &cid, "early").await, spare, "it was seen in an earlier epoch");
    world.tends_spares_by(Tenure::nothing());
    found(&world, spare, &up()).await;
    assert_ne!(made(&world, &cid, "elsewhere").await, spare, "another server tends it");
    world.tends_spares_by(Tenure::everything());
    found(&world, spare, &up()).await;
    assert_eq!(made(&world, &cid, "last").await, spare);
}

async fn a_request_that_makes_no_site_takes_none(world: World) {
    let world = world.set(wants(1));
    let (cid, _) = world.acme().await;
    made(&world, &cid, "blog").await;
    let spare = stocked(&world).await[0];
    let small = Quota { sites: Some(1), ..Quota::default() };
    let set = async |quota| {
        let (update, name) = (OrgUpdate { quota: Some(quota), ..OrgUpdate::default() }, Slug::default_name());
        world.update_org(&Actor::Operator, &cid, &name, update, IfMatch::Any, NOW).await.expect("set");
    };
    set(small).await;
    assert_eq!(create(&world, &cid, site("shop"), Mode::Commit).await, Err("quota_exceeded"));
    set(Quota::default()).await;
    assert_eq!(create(&world, &cid, site("blog"), Mode::Commit).await, Err("site_name_taken"));
    assert_ne!(create(&world, &cid, site("shop"), Mode::DryRun).await, Ok(spare));
    assert_eq!(made(&world, &cid, "shop").await, spare);
}

async fn there_are_as_many_as_are_wanted(world: World) {
    let world = world.set(wants(3));
    let all = stocked(&world).await;
    assert_eq!((all.len(), world.keep_spares(NOW).await.expect("kept")), (3, false));

    let fewer = world.set(wants(1));
    assert!(fewer.keep_spares(at(60)).await.expect("ended"));
    assert_eq!(kept(&fewer).await, all[..1]);
    for id in &all[1..] {
        let intent = fewer.intents().get(*id).await.expect("read").expect("known for ever");
        assert_eq!((intent.generation, &intent.wanted), (0, &Wanted::Gone));
        fewer.intents().purged(*id).await.expect("nothing to keep");
    }
    let (cid, _) = fewer.acme().await;
    assert!(!all.contains(&made(&fewer, &cid, "blog").await), "this server has not seen it");

    let larger = fewer.set(|settings| settings.default_database = DatabaseSize::Three);
    assert!(larger.keep_spares(at(90)).await.expect("changed"));
    let [one] = kept(&larger).await[..] else { panic!("there is one") };
    assert_ne!(one, all[0]);
    found(&larger, one, &up()).await;
    assert_eq!(made(&larger, &cid, "large").await, one);
}

#[tokio::test]
async fn a_store_that_lost_commits_gives_no_customers_site_to_another() {
    let (store, before) = (Arc::new(MemoryStore::default()), MemoryStore::default());
    let starts = || set(store.clone(), Settings { spares: 1, ..settings() });
    let server = starts();
    let acme = server.register_customer(Some(&Actor::Operator), customer("Acme", "acme"), NOW).await;
    let cid = acme.expect("registers").cid;
    let spare = stocked(&server).await[0];
    before.take_after(&store);
    assert_eq!(made(&server, &cid, "blog").await, spare);

    store.take_after(&before);
    assert_eq!(kept(&server).await, [spare], "so says the store");
    assert_ne!(made(&server, &cid, "shop").await, spare);
    // One that starts now sees what runs before it gives anything away.
    let later = starts();
    assert_ne!(made(&later, &cid, "second").await, spare);
    found(&later, spare, &SiteStatus { observed_generation: 1, ..up() }).await;
    assert_ne!(made(&later, &cid, "third").await, spare);
}
