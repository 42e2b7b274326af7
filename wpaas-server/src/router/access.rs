//! Every route as everybody at everything: the answers are those of the rules, and what is another's can't be told
//! from what is not there, neither by the answer nor by what the store was asked.

use std::collections::BTreeSet;

use axum::http::Method;
use wpaas_core::access::{Access, Scope, decide};

mod matrix;
mod world;

use matrix::{Ask, Level};
use world::{Principal, Target, World};

/// The oracle: what is named must be there, then the rules decide, then the last thing named must be there.
fn expected(principal: &Principal, ask: &Ask, target: &Target) -> Access {
    let Some(actor) = &principal.actor else { return Access::Forbidden };
    if ask.level == Level::Own {
        return Access::Allowed;
    }
    let rules = decide(actor, ask.action, target.scope(ask.level));
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
        _ if principal.actor.is_none() => status == 401,
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
    fn scope(&self, level: Level) -> Scope<'_> {
        match level {
            Level::Own | Level::System | Level::Webhook => Scope::System,
            Level::Customer | Level::CustomerKey => Scope::Customer(&self.cid),
            Level::User | Level::UserKey => Scope::User(&self.cid, self.user_id),
            Level::Org => Scope::Org(&self.cid, self.org_id),
            Level::Space | Level::Site => Scope::Space(&self.cid, self.org_id, self.space_id),
        }
    }
}
