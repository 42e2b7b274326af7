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
use wpaas_core::keyring::Keyring;
use wpaas_core::name::Cid;
use wpaas_core::service::Service;
use wpaas_core::store::memory::MemoryStore;
use wpaas_core::store::recording::RecordingStore;

use self::population::made;
use super::matrix::{Ask, Level};
use crate::config::{BackendKind, Flags, Settings};
use crate::router;
use crate::state::Shared;
use crate::tasks::Tasks;

mod population;
mod target;

pub use target::Target;

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Principal {
    pub name: &'static str,
    /// Nobody without.
    pub actor: Option<Actor>,
    key: String,
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
