//! Every route as everybody at everything: the answers are those of the rules, and what is another's can't be told
//! from what is not there, neither by the answer nor by what the store was asked.

use std::collections::BTreeSet;

use axum::http::Method;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Parameter;
use wpaas_core::access::{Access, Actor, Scope, decide};
use wpaas_core::defaults;
use wpaas_core::store::recording::RecordingStore;

mod matrix;
mod world;

use matrix::{Ask, Level};
use world::{Principal, Target, World};

/// The oracle: what is named must be there, then the rules decide, then the last thing named must be there.
fn expected(principal: &Principal, ask: &Ask, target: &Target) -> Access {
    if ask.level == Level::Anybody {
        return Access::Allowed;
    }
    let Some(actor) = &principal.actor else { return Access::Forbidden };
    if ask.level == Level::Own {
        return Access::Allowed;
    }
    let rules = decide(actor, ask.action, target.scope(ask.level, actor));
    let missing = target.missing.filter(|missing| ask.level.is_in(*missing));
    match missing {
        Some(missing) if missing.is_leaf() && rules != Access::Allowed => rules,
        Some(_) => Access::Hidden,
        None => rules,
    }
}

/// Whether the status says so.
fn says(principal: &Principal, access: Access, status: u16) -> bool {
    match access {
        Access::Forbidden if principal.actor.is_none() => status == 401,
        Access::Hidden => status == 404,
        Access::Forbidden => status == 403,
        Access::Allowed => ![401, 403, 404, 500].contains(&status),
    }
}

#[tokio::test]
async fn every_route_as_everybody_at_everything() {
    let mut world = World::new().await;
    let mut seen = BTreeSet::new();
    for (method, path) in world.routes().await {
        for ask in matrix::asks(&method, &path) {
            for principal in 0..world.principals.len() {
                for target in 0..world.targets.len() {
                    let answer = world.ask(&ask, principal, &world.targets[target].clone()).await;
                    let (who, at) = (&world.principals[principal], &world.targets[target]);
                    let access = expected(who, &ask, at);
                    assert!(
                        says(who, access, answer.status),
                        "{method} {path} as {} at {}: {} is answered, not {access:?}: {}",
                        who.name,
                        at.name,
                        answer.status,
                        answer.body
                    );
                    let untold = answer.asked.contains(&RecordingStore::UNTOLD);
                    assert!(!untold, "{method} {path} as {}: changed without an event", who.name);
                    seen.insert(answer.status);
                }
            }
        }
    }
    assert!([200, 201, 401, 403, 404, 412].iter().all(|status| seen.contains(status)), "{seen:?}");
}

#[tokio::test]
async fn anothers_and_absent_are_one() {
    let mut world = World::new().await;
    let mut compared = 0;
    for (method, path) in world.routes().await {
        for ask in matrix::asks(&method, &path) {
            for principal in 1..world.principals.len() {
                for target in world.targets.clone() {
                    let who = &world.principals[principal];
                    let hidden = expected(who, &ask, &target) == Access::Hidden;
                    if !hidden || target.missing.is_some() || who.actor.is_none() {
                        continue;
                    }
                    let absent = world.twin(who, ask.level, &target).clone();
                    let name = who.name;
                    let there = world.ask(&ask, principal, &target).await;
                    let nowhere = world.ask(&ask, principal, &absent).await;
                    assert_eq!(there, nowhere, "{method} {path} as {name} at {}", target.name);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 300, "only {compared} were compared");
}

#[tokio::test]
async fn an_id_of_another_kind_names_nothing() {
    let mut world = World::new().await;
    for (method, path) in world.routes().await {
        for ask in matrix::asks(&method, &path) {
            for slot in path.split('/').filter(|part| part.starts_with('{')) {
                if !ask.target.contains(slot) {
                    continue;
                }
                let wrong = ask.with_wrong_kind(slot, &world.targets[0]);
                for principal in 0..world.principals.len() {
                    let nobody = world.principals[principal].actor.is_none();
                    let answer = world.ask(&wrong, principal, &world.targets[0].clone()).await;
                    let status = if nobody { 401 } else { 404 };
                    assert_eq!(answer.status, status, "{method} {path} with another kind's id as {slot}");
                }
            }
        }
    }
}

/// Nothing is read of what is named so, whoever asks.
#[tokio::test]
async fn an_id_of_another_kind_beside_the_path_names_nothing() {
    let mut world = World::new().await;
    let mut asked = 0;
    for (method, path) in world.routes().await {
        for ask in matrix::asks(&method, &path) {
            for wrong in ask.with_wrong_kinds_beside_the_path(&world.targets[0]) {
                for principal in 0..world.principals.len() {
                    let nobody = world.principals[principal].actor.is_none();
                    let answer = world.ask(&wrong, principal, &world.targets[0].clone()).await;
                    let fits =
                        if nobody { answer.status == 401 } else { [400, 404, 422].contains(&answer.status) };
                    assert!(fits, "{method} {} {:?}: {}", wrong.target, wrong.body, answer.status);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 100, "only {asked} were asked");
}

/// What goes on while a customer is suspended, and why.
const GOES_ON: [(&str, &str); 8] = [
    ("DELETE /customers/{cid}/keys/{key}", "whoever is to be kept out is kept out"),
    ("DELETE /users/{cid}/{username}/keys/{key}", "the same"),
    ("DELETE /sessions", "the same"),
    ("DELETE /sessions/current", "the same"),
    ("DELETE /logins/{login}", "the same"),
    ("POST /sessions", "reads go on, for which one signs in"),
    ("POST /logins", "what is presented here is no ticket; with one, it is refused"),
    ("POST /customers/{cid}/restore", "there is no deletion to take back, and that is said"),
];

/// What the operator does to a suspended customer.
const OPERATORS: [&str; 4] = [
    "PUT /customers/{cid}",
    "DELETE /customers/{cid}",
    "POST /customers/{cid}/suspend",
    "POST /customers/{cid}/resume",
];

/// What its own people, and the operator, can't do while a customer is suspended; and what they can, with the reason.
#[tokio::test]
async fn every_write_of_a_suspended_customer_is_refused() {
    let mut world = World::suspended().await;
    let (mut refused, mut others) = (0, BTreeSet::new());
    for (method, path) in world.routes().await {
        for ask in matrix::asks(&method, &path).iter().map(matrix::Ask::of_any_version) {
            if method == Method::GET || matches!(ask.level, Level::System | Level::Webhook | Level::Anybody) {
                continue;
            }
            for principal in 0..world.principals.len() {
                let target = world.targets[0].clone();
                if expected(&world.principals[principal], &ask, &target) != Access::Allowed {
                    continue;
                }
                let (line, name) = (format!("{method} {path}"), world.principals[principal].name);
                let answer = world.ask(&ask, principal, &target).await;
                let told = (answer.status, answer.body["code"].as_str().unwrap_or_default());
                let is_operators = name == "operator" && OPERATORS.contains(&line.as_str());
                if is_operators || GOES_ON.iter().any(|(known, _)| *known == line) {
                    others.insert(line);
                } else {
                    let body = &ask.body;
                    assert_eq!(
                        told,
                        (403, "customer_suspended"),
                        "{line} {body:?} as {name}: {}",
                        answer.body
                    );
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 100 && others.len() > 5, "{refused} were refused, and not {others:?}");
}

#[tokio::test]
async fn every_change_of_another_version_is_refused() {
    let mut world = World::new().await;
    let (mut versioned, mut others) = (0, 0);
    for (path, item) in super::document().paths.paths {
        for (method, operation) in
            [(Method::PUT, item.put), (Method::DELETE, item.delete), (Method::POST, item.post)]
        {
            let Some(operation) = operation else { continue };
            let parameters = operation.parameters.unwrap_or_default();
            let takes = |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.name == "If-Match");
            let takes = parameters.iter().any(takes);
            // What can't depend on a version is not done for whoever takes it to.
            let expected = if takes { (412, "version_mismatch") } else { (400, "invalid_if_match") };
            for ask in matrix::asks(&method, &path) {
                let target = world.targets[0].clone();
                let answer = world.ask(&ask.of_another_version(), 0, &target).await;
                let told = (answer.status, answer.body["code"].as_str().unwrap_or_default());
                assert_eq!(told, expected, "{method} {path} {:?}: {}", ask.body, answer.body);
                *(if takes { &mut versioned } else { &mut others }) += 1;
            }
        }
    }
    assert!(versioned > 20 && others > 20, "only {versioned} and {others} were asked");
}

#[tokio::test]
#[should_panic(expected = "the matrix does not know GET /new")]
async fn a_route_that_the_matrix_does_not_know_fails() {
    matrix::asks(&Method::GET, "/new/{cid}");
}

impl Level {
    /// What is asked for, or what it is in, is this.
    fn is_in(self, other: Self) -> bool {
        self == other || self.parent().is_some_and(|parent| parent.is_in(other))
    }
}

impl Target {
    fn scope<'a>(&'a self, level: Level, actor: &'a Actor) -> Scope<'a> {
        match level {
            Level::OwnCustomer => match actor {
                Actor::Operator => Scope::System,
                Actor::Customer(cid) | Actor::User { cid, .. } => Scope::Customer(cid),
            },
            Level::Anybody | Level::Own | Level::System | Level::Webhook => Scope::System,
            Level::Customer | Level::CustomerKey => Scope::Customer(&self.cid),
            Level::User | Level::UserKey => Scope::User(&self.cid, self.user_id),
            Level::Org => Scope::Org(&self.cid, self.org_id),
            Level::DefaultSpace => {
                let org = defaults::org_id(&self.cid);
                Scope::Space(&self.cid, org, defaults::space_id(org))
            }
            Level::Space | Level::Site => Scope::Space(&self.cid, self.org_id, self.space_id),
        }
    }
}
