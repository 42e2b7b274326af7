//! The services over each store: what an embedder and the server see.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use wpaas_core::access::Actor;
use wpaas_core::account::{Identity, Lifecycle, OrgRole, RoleGrant};
use wpaas_core::converge::{Intents as _, Part, Wanted};
use wpaas_core::id::SiteId;
use wpaas_core::keyring::Keyring;
use wpaas_core::name::{Cid, Slug, Username};
use wpaas_core::quota::Quota;
use wpaas_core::secret::{Secret, SecretError, SecretName, SecretRef, Secrets as _};
use wpaas_core::service::{
    CustomerUpdate, EventFilter, Grace, Idempotency, IfMatch, Mode, NewCustomer, NewKey, NewOrg, NewSite,
    NewSpace, NewUser, OrgUpdate, Page, Purge, Recursion, Registration, Service, ServiceError, Settings,
    SiteFilter, SitePath, SitePhase, SitePlace, SiteUpdate, UserUpdate,
};
use wpaas_core::site::Features;
use wpaas_core::store::Store;
use wpaas_core::store::memory::MemoryStore;
use wpaas_core::store::sqlite::SqliteStore;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW.as_second() + seconds).expect("a time")
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("well formed")
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

struct World {
    service: Service,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for World {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

async fn world(of: &str) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = match of {
        "memory" => Arc::new(MemoryStore::default()),
        _ => Arc::new(SqliteStore::open(&folder.path().join("wpaas.db")).await.expect("opens")),
    };
    let mut settings = Settings::new(parse("wpaas.localhost"));
    settings.registration = Registration::Closed;
    let service = Service::new(store, Arc::new(Keyring::ephemeral()), settings);
    World { service, _folder: folder }
}

impl World {
    /// A customer named Acme, and its id.
    async fn acme(&self) -> (Cid, Actor) {
        let new = customer("Acme", "acme");
        let customer = self.register_customer(Some(&Actor::Operator), new, NOW).await.expect("registers");
        (customer.cid.clone(), Actor::Customer(customer.cid))
    }

    async fn kinds(&self) -> Vec<&'static str> {
        let events = self.events(&Actor::Operator, &EventFilter::All, 0, 1000).await.expect("read");
        events.iter().map(|event| event.event.kind.as_str()).collect()
    }
}

fn customer(name: &str, username: &str) -> NewCustomer {
    NewCustomer {
        name: name.to_owned(),
        email: parse("owner@acme.example"),
        username: parse(username),
        password: None,
    }
}

fn place(cid: &Cid) -> SitePlace {
    SitePlace { cid: cid.clone(), org: None, space: None }
}

fn path(cid: &Cid, name: &str) -> SitePath {
    SitePath { place: place(cid), name: parse(name) }
}

fn site(name: &str) -> NewSite {
    NewSite {
        name: parse(name),
        title: None,
        admin_username: None,
        admin_email: None,
        admin_password: Some(secret("pass")),
        code: None,
        code_credential: None,
        num_instances: None,
        database: None,
        features: Features::default(),
        domains: Vec::new(),
        labels: BTreeMap::new(),
        deletion_protection: false,
    }
}

fn user(cid: &Cid, name: &str, roles: Vec<RoleGrant>) -> NewUser {
    NewUser {
        cid: cid.clone(),
        username: parse(name),
        name: name.to_owned(),
        email: parse("user@acme.example"),
        password: Some(secret("correct horse")),
        enabled: true,
        spaces: Vec::new(),
        roles,
    }
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

macro_rules! on_each_store {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::world("memory").await).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::world("sqlite").await).await;
            })*
        }
    };
}

on_each_store! {
    many_that_register_at_once_get_ids_of_their_own
    a_default_is_made_once_however_many_ask
    a_site_makes_its_place_and_its_secrets
    a_deleted_site_rests_comes_back_and_goes
    a_dry_run_leaves_nothing
    quotas_hold
    suspended_sites_rest_and_come_back
    keys_open_are_renewed_and_taken_back
    passwords_open_for_whom_they_are
    what_one_may_not_see_is_not_there
    an_org_goes_with_all_that_is_inside
    a_customer_is_removed_from_the_inside_out
    an_idempotent_request_is_done_once
    lists_are_filtered_and_go_on
    an_update_of_an_old_version_is_refused
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

async fn keys_open_are_renewed_and_taken_back(world: World) {
    let (cid, actor) = world.acme().await;
    let (ada, first) = world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let opened = world.authenticate_key(first.text.expose(), NOW).await.expect("opens");
    assert_eq!(opened, Actor::User { cid: cid.clone(), id: ada.id, roles: Vec::new() });
    let identity = Identity::User(cid.clone(), ada.id);
    assert_eq!(world.keys(&opened, &identity).await.expect("its own")[0].last_used_at, Some(NOW));
    let (text, last) = first.text.expose().split_at(first.text.expose().len() - 1);
    let wrong = format!("{text}{}", if last == "x" { "y" } else { "x" });
    for bad in ["", "wpk_x", wrong.as_str()] {
        assert_eq!(code(world.authenticate_key(bad, NOW).await), "unauthenticated", "{bad}");
    }
    let renewed = world.renew_key(&opened, first.key.id, NOW).await.expect("is renewed");
    let overlap = world.settings().key_overlap.as_secs();
    let opens = async |text: &Secret, seconds| code(world.authenticate_key(text.expose(), at(seconds)).await);
    assert_eq!(opens(&first.text, overlap - 1).await, "ok");
    assert_eq!(opens(&first.text, overlap).await, "unauthenticated");
    assert_eq!(opens(&renewed.text, overlap).await, "ok");
    assert_eq!(code(world.renew_key(&opened, first.key.id, at(overlap)).await), "wrong_lifecycle");

    let foreign = world.register_customer(Some(&Actor::Operator), customer("B", "b"), NOW).await.expect("ok");
    let foreign = Actor::Customer(foreign.cid);
    assert_eq!(code(world.revoke_key(&foreign, renewed.key.id, NOW).await), "not_found");
    assert_eq!(code(world.keys(&opened, &Identity::Customer(cid.clone())).await), "forbidden");
    let long = NewKey { label: String::new(), lifetime: Some(SignedDuration::from_hours(24 * 365)) };
    assert_eq!(code(world.create_key(&actor, &identity, long, NOW).await), "invalid");

    let off = UserUpdate { enabled: Some(false), ..UserUpdate::default() };
    let name: Username = parse("ada");
    world.update_user(&actor, &cid, &name, off, IfMatch::Any, NOW).await.expect("is disabled");
    assert_eq!(opens(&renewed.text, 1).await, "unauthenticated");
    world.revoke_key(&actor, renewed.key.id, NOW).await.expect("is revoked");
    world.delete_user(&actor, &cid, &name, IfMatch::Any, NOW).await.expect("is deleted");
    assert_eq!(code(world.revoke_key(&actor, renewed.key.id, NOW).await), "not_found");
}

async fn passwords_open_for_whom_they_are(world: World) {
    let (cid, actor) = world.acme().await;
    world.create_user(&actor, user(&cid, "ada", Vec::new()), NOW).await.expect("is made");
    let update = CustomerUpdate { password: Some(secret("open sesame")), ..CustomerUpdate::default() };
    world.update_customer(&actor, &cid, update, IfMatch::Any, NOW).await.expect("is set");
    let sign_in = async |cid: Option<&Cid>, name: &str, password: &str| {
        world.authenticate_password(cid, &parse(name), &secret(password)).await
    };
    assert_eq!(sign_in(None, "ACME", "open sesame").await.expect("opens"), actor);
    assert!(matches!(sign_in(Some(&cid), "ada", "correct horse").await, Ok(Actor::User { .. })));
    for (cid, name, password) in [
        (None, "acme", "correct horse"),
        (None, "nobody", "open sesame"),
        (None, "ada", "correct horse"),
        (Some(&cid), "ada", "open sesame"),
        (Some(&cid), "acme", "open sesame"),
    ] {
        assert_eq!(code(sign_in(cid, name, password).await), "unauthenticated", "{name}");
    }
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
    assert_eq!(code(world.events(&ada, &EventFilter::Org(cid.clone(), seen.id), 0, 9).await), "ok");
    assert_eq!(code(world.events(&ada, &EventFilter::Customer(cid.clone()), 0, 9).await), "forbidden");

    let elsewhere = RoleGrant::Org { org: wpaas_core::id::OrgId::new(), role: OrgRole::Manager };
    let granted = world.create_user(&actor, user(&cid, "eve", vec![elsewhere]), NOW).await;
    assert_eq!(code(granted), "invalid");
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

async fn an_idempotent_request_is_done_once(world: World) {
    let op = Some(&Actor::Operator);
    let begin = async |request, seconds| world.begin_idempotent(op, "k", [request; 32], at(seconds)).await;
    let Idempotency::Fresh(first) = begin(1, 0).await.expect("is fresh") else { panic!("is fresh") };
    assert_eq!(code(begin(1, 1).await), "idempotency_key_in_use");
    assert_eq!(code(begin(2, 1).await), "idempotency_key_reused");
    world.finish_idempotent(first, 201, b"body", at(2)).await.expect("is kept");
    let replay = Idempotency::Replay { status: 201, body: b"body".to_vec() };
    assert_eq!(begin(1, 3).await.expect("replays"), replay);
    assert!(matches!(begin(1, 24 * 3600 + 1).await, Ok(Idempotency::Fresh(_))));
    let other = world.begin_idempotent(None, "k", [1; 32], NOW).await;
    let Ok(Idempotency::Fresh(other)) = other else { panic!("another's key is another's") };
    world.abandon_idempotent(other, NOW).await.expect("is free");
    assert!(matches!(world.begin_idempotent(None, "k", [1; 32], NOW).await, Ok(Idempotency::Fresh(_))));
    assert!(matches!(world.begin_idempotent(None, "k", [1; 32], at(301)).await, Ok(Idempotency::Fresh(_))));
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
