//! Two customers with all that they can have, everybody who may ask, and everything that can be asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::{Method, Request};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use wpaas_core::access::{Access, Action, Actor, Scope, decide};
use wpaas_core::account::{Identity, OrgRole, RoleGrant, SpaceRole};
use wpaas_core::id::{KeyId, LoginId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use wpaas_core::keyring::Keyring;
use wpaas_core::name::{Cid, Slug, Username};
use wpaas_core::quota::{Quota, Usage};
use wpaas_core::service::{NewCustomer, NewKey, NewOrg, NewUser, NewWebhook, Service};
use wpaas_core::site::{
    AddressKind, Admin, Certificates, CodeState, DatabaseSize, DomainClaims, Features, Releases, Site,
    SiteLifecycle, SiteSpec,
};
use wpaas_core::store::memory::MemoryStore;
use wpaas_core::store::recording::RecordingStore;
use wpaas_core::store::{Change, Commit, Write};

use super::matrix::{Ask, Level};
use crate::config::{BackendKind, Flags, Settings};
use crate::router;
use crate::state::Shared;
use crate::tasks::Tasks;

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Principal {
    pub name: &'static str,
    /// Nobody without.
    pub actor: Option<Actor>,
    key: String,
}

/// Something that is asked for, by its names and its ids.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: &'static str,
    pub cid: Cid,
    pub org: Slug,
    pub org_id: OrgId,
    pub space: Slug,
    pub space_id: SpaceId,
    pub site: Slug,
    pub site_id: SiteId,
    pub username: Username,
    pub user_id: UserId,
    pub user_key: KeyId,
    pub customer_key: KeyId,
    pub webhook: WebhookId,
    /// What of it is not there, with all that would be in that.
    pub missing: Option<Level>,
}

/// What was answered, and what the store was asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    headers: BTreeMap<String, String>,
    pub asked: Vec<&'static str>,
}

pub struct World {
    pub principals: Vec<Principal>,
    pub targets: Vec<Target>,
    router: Router,
    store: Arc<RecordingStore>,
    memory: Arc<MemoryStore>,
    /// What the store held before anything was asked.
    as_it_was: MemoryStore,
    service: Service,
    operator: String,
    _tasks: Tasks,
    _folder: TempDir,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl World {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let backend = Some(BackendKind::Simulated);
        let limits_principal_rate = Some(0);
        let flags = Flags { data: Some(data.clone()), backend, limits_principal_rate, ..Flags::default() };
        let settings = Arc::new(Settings::load(flags).unwrap());
        let nothing = wpaas_core::converge::simulated::World::default();
        let (state, tasks) = crate::app::open(&settings, nothing).await.unwrap();
        let operator = std::fs::read_to_string(data.join("operator-token")).unwrap().trim().to_owned();
        let keyring = Arc::new(Keyring::open_or_create(&data.join("keys")).unwrap());
        let memory = Arc::new(MemoryStore::default());
        let store = Arc::new(RecordingStore::new(memory.clone()));
        let service = Service::new(store.clone(), keyring, state.service.settings().clone());
        let (principals, targets) = made(&service, &store, &operator).await;
        let as_it_was = MemoryStore::default();
        as_it_was.take_after(&memory);
        let router = router::api(Shared { service: service.clone(), ..Shared::clone(&state) }.into());
        Self {
            principals,
            targets,
            router,
            store,
            memory,
            as_it_was,
            service,
            operator,
            _tasks: tasks,
            _folder: folder,
        }
    }

    /// One whose customers are all suspended.
    pub async fn suspended() -> Self {
        let world = Self::new().await;
        let cids: BTreeSet<&Cid> = world.targets[..4].iter().map(|target| &target.cid).collect();
        for cid in cids {
            world.service.suspend_customer(&Actor::Operator, cid, Timestamp::now()).await.unwrap();
        }
        world.as_it_was.take_after(&world.memory);
        world
    }

    /// Every method of every path.
    pub async fn routes(&self) -> Vec<(Method, String)> {
        let mut routes = Vec::new();
        for path in router::document().paths.paths.into_keys() {
            let probe = Request::builder().method("PROBE").uri(path.replace(['{', '}'], ""));
            let probe = probe.header(AUTHORIZATION, format!("Bearer {}", self.operator));
            let answer = self.router.clone().oneshot(probe.body(Body::empty()).unwrap()).await.unwrap();
            let methods = answer.headers()[ALLOW].to_str().unwrap();
            let methods = methods.split(',').filter(|method| !["HEAD", ""].contains(method));
            routes.extend(methods.map(|method| (parse(method.trim()), path.clone())));
        }
        routes
    }

    /// Asks, and puts the world in order again if something was written.
    pub async fn ask(&mut self, ask: &Ask, principal: usize, target: &Target) -> Answer {
        let fill = |text: &str| target.fill(text, ask.level);
        let mut request = Request::builder().method(ask.method.clone()).uri(fill(&ask.target));
        let key = &self.principals[principal].key;
        if !key.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(version) = ask.if_match {
            request = request.header(IF_MATCH, version);
        }
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        let body = ask.body.as_deref().map(fill);
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        drop(self.store.take());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let answer = answer(response, self.store.take()).await;
        if answer.asked.contains(&RecordingStore::COMMIT) {
            self.memory.take_after(&self.as_it_was);
        }
        answer
    }

    /// What is not there where this can't be seen.
    pub fn twin(&self, principal: &Principal, level: Level, target: &Target) -> &Target {
        let hidden = |action, scope| {
            principal.actor.as_ref().is_none_or(|actor| decide(actor, action, scope) == Access::Hidden)
        };
        let missing = if hidden(Action::CustomerRead, Scope::Customer(&target.cid)) {
            Level::Customer
        } else if matches!(level, Level::User | Level::UserKey) {
            Level::User
        } else if target.missing == Some(Level::Org)
            || hidden(Action::OrgRead, Scope::Org(&target.cid, target.org_id))
        {
            Level::Org
        } else {
            Level::Space
        };
        self.targets.iter().find(|target| target.missing == Some(missing)).unwrap()
    }
}

impl Target {
    fn fill(&self, text: &str, level: Level) -> String {
        let key = if level == Level::CustomerKey { self.customer_key } else { self.user_key };
        text.replace("{cid}", self.cid.as_str())
            .replace("{org}", self.org.as_str())
            .replace("{org_id}", &self.org_id.to_string())
            .replace("{space}", self.space.as_str())
            .replace("{space_id}", &self.space_id.to_string())
            .replace("{name}", self.site.as_str())
            .replace("{site_id}", &self.site_id.to_string())
            .replace("{username}", self.username.as_str())
            .replace("{key}", &key.to_string())
            .replace("{webhook}", &self.webhook.to_string())
            .replace("{login}", &LoginId::new().to_string())
    }

    /// The same without a part, which has names and ids that nobody has.
    fn without(&self, missing: Level) -> Self {
        let mut target = Self { name: "absent", missing: Some(missing), ..self.clone() };
        let gone = |level: Level| level.is_in(missing);
        if gone(Level::Customer) {
            target.cid = parse("zzz");
        }
        if gone(Level::CustomerKey) {
            target.customer_key = KeyId::new();
        }
        if gone(Level::Webhook) {
            target.webhook = WebhookId::new();
        }
        if gone(Level::User) {
            (target.username, target.user_id) = (parse("nobody"), UserId::new());
        }
        if gone(Level::UserKey) {
            target.user_key = KeyId::new();
        }
        if gone(Level::Org) {
            (target.org, target.org_id) = (parse("nowhere"), OrgId::new());
        }
        if gone(Level::Space) {
            (target.space, target.space_id) = (parse("nospace"), SpaceId::new());
        }
        if gone(Level::Site) {
            (target.site, target.site_id) = (parse("nosite"), SiteId::new());
        }
        target
    }
}

async fn answer(response: axum::response::Response, asked: Vec<&'static str>) -> Answer {
    let status = response.status().as_u16();
    let headers = response.headers().iter().filter(|(name, _)| *name != "x-request-id");
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
    // A stream has no end.
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let body = if is_stream { Body::empty() } else { response.into_body() };
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(id) = body.get_mut("request_id") {
        *id = Value::Null;
    }
    Answer { status, body, headers, asked }
}

/// A customer with two orgs, the first with two spaces, and a site in each space.
async fn customer(service: &Service, store: &dyn Commit, name: &str) -> (Target, Target, Target) {
    let (operator, now) = (&Actor::Operator, Timestamp::now());
    let email = parse(&format!("{name}@example.com"));
    let new =
        NewCustomer { name: name.to_owned(), email, username: parse(name), password: None, account: None };
    let cid = service.register_customer(Some(operator), new, now).await.unwrap().cid;
    let owner = Identity::Customer(cid.clone());
    let key = || NewKey { label: String::new(), lifetime: None };
    let customer_key = service.create_key(operator, &owner, key(), now).await.unwrap().key.id;
    let url = "https://ops.example.com/hook".to_owned();
    let new = NewWebhook { url, description: String::new(), kinds: Vec::new(), enabled: true };
    let webhook = service.create_webhook(operator, new, now).await.unwrap().stored.webhook.id;
    let mut at = Vec::new();
    for (org, space, title) in
        [("one", "s1", "own"), ("one", "s2", "other space"), ("two", "s3", "other org")]
    {
        if space != "s2" {
            let spaces = if org == "one" { vec![parse("s1"), parse("s2")] } else { vec![parse("s3")] };
            let (description, quota) = (String::new(), Quota::default());
            let new = NewOrg { cid: cid.clone(), name: parse(org), description, quota, spaces };
            service.create_org(operator, new, now).await.unwrap();
        }
        let org = service.org_by_name(operator, &cid, &parse(org), now).await.unwrap();
        let space = service.space_by_name(operator, org.id, &parse(space), now).await.unwrap();
        let site = site(&cid, org.id, space.id, &format!("site-{}", space.name));
        let (site_id, site_name) = (site.id, site.name.clone());
        let usage = Usage { sites: 1, wordpress_instances: 1, database_instances: 1, storage_gib: 20 };
        store.commit(Change::at(now).write(Write::InsertSite(site, usage))).await.unwrap();
        at.push(Target {
            name: title,
            cid: cid.clone(),
            org: org.name,
            org_id: org.id,
            space: space.name,
            space_id: space.id,
            site: site_name,
            site_id,
            username: parse("developer"),
            user_id: UserId::new(),
            user_key: KeyId::new(),
            customer_key,
            webhook,
            missing: None,
        });
    }
    let [own, space, org] = at.try_into().unwrap();
    (own, space, org)
}

fn site(cid: &Cid, org: OrgId, space: SpaceId, name: &str) -> Site {
    let email = parse("owner@example.com");
    Site {
        id: SiteId::new(),
        cid: cid.clone(),
        org,
        space,
        name: parse(name),
        generation: 1,
        spec: SiteSpec {
            title: "A title".to_owned(),
            admin: Admin { username: Username::admin(), email, password_version: 1 },
            code: None,
            num_instances: 1,
            database: DatabaseSize::One,
            features: Features::default(),
            domains: Vec::new(),
            primary_domain: None,
            address: AddressKind::Own,
            routes: BTreeMap::new(),
            labels: BTreeMap::new(),
            deletion_protection: false,
        },
        lifecycle: SiteLifecycle::Live,
        releases: Releases::default(),
        code: CodeState::default(),
        domains: DomainClaims::default(),
        scaled: None,
        certificates: Certificates::default(),
        created_at: Timestamp::now(),
        version: 1,
    }
}

async fn user(
    service: &Service,
    cid: &Cid,
    name: &'static str,
    roles: Vec<RoleGrant>,
) -> (Principal, UserId, KeyId) {
    let new = NewUser {
        cid: cid.clone(),
        username: parse(name),
        name: name.to_owned(),
        email: parse("user@example.com"),
        password: None,
        enabled: true,
        spaces: Vec::new(),
        roles: roles.clone(),
    };
    let (user, issued) = service.create_user(&Actor::Operator, new, Timestamp::now()).await.unwrap();
    let actor = Some(Actor::User { cid: cid.clone(), id: user.id, roles });
    (Principal { name, actor, key: issued.text.expose().to_owned() }, user.id, issued.key.id)
}

async fn made(service: &Service, store: &RecordingStore, operator: &str) -> (Vec<Principal>, Vec<Target>) {
    let (mut own, mut space, mut org) = customer(service, store, "acme").await;
    let (mut foreign, ..) = customer(service, store, "blum").await;
    let now = Timestamp::now();
    let at_org = |role| vec![RoleGrant::Org { org: own.org_id, role }];
    let at_space = |role| vec![RoleGrant::Space { org: own.org_id, space: own.space_id, role }];
    let as_customer = Identity::Customer(own.cid.clone());
    let new = NewKey { label: String::new(), lifetime: None };
    let key = service.create_key(&Actor::Operator, &as_customer, new, now).await.unwrap().text;
    let mut principals = vec![
        Principal { name: "operator", actor: Some(Actor::Operator), key: operator.to_owned() },
        Principal { name: "nobody", actor: None, key: String::new() },
        Principal {
            name: "customer",
            actor: Some(Actor::Customer(own.cid.clone())),
            key: key.expose().to_owned(),
        },
    ];
    for (name, roles) in [
        ("roleless", Vec::new()),
        ("org-manager", at_org(OrgRole::Manager)),
        ("org-billing", at_org(OrgRole::Billing)),
        ("org-auditor", at_org(OrgRole::Auditor)),
        ("space-manager", at_space(SpaceRole::Manager)),
        ("developer", at_space(SpaceRole::Developer)),
        ("viewer", at_space(SpaceRole::Viewer)),
    ] {
        let (principal, id, key) = user(service, &own.cid, name, roles).await;
        principals.push(principal);
        let name: Username = parse(name);
        let at = if name == own.username { &mut own } else { &mut space };
        (at.username, at.user_id, at.user_key) = (name, id, key);
    }
    (org.username, org.user_id, org.user_key) = (space.username.clone(), space.user_id, space.user_key);
    (_, foreign.user_id, foreign.user_key) = user(service, &foreign.cid, "developer", Vec::new()).await;
    foreign.name = "other customer";
    let absent = [
        Level::Customer,
        Level::CustomerKey,
        Level::User,
        Level::UserKey,
        Level::Org,
        Level::Space,
        Level::Site,
        Level::Webhook,
    ];
    let absent = absent.map(|level| own.without(level));
    let mut targets = vec![own, space, org, foreign];
    targets.extend(absent);
    (principals, targets)
}
