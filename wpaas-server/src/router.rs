//! Every route, in one place. What each takes and answers stands at its handler; where it is, here alone.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::handlers::{
    customers, domains, events, health, keys, logins, orgs, reports, sessions, sites, spaces, sso, usage,
    users, webhooks,
};
use crate::limits::{self, Limits};
use crate::openapi::operation::{self, Group};
use crate::problem::Problem;
use crate::state::AppState;
use crate::{accept, auth, cluster, conditional, idempotency, observe, openapi, request_id};

mod unasked;

#[cfg(test)]
mod access;

use unasked::Unasked;

/// Routes, and the document that describes them: one call makes both, so that no route can be missing from it.
struct Routes {
    router: OpenApiRouter<AppState>,
    group: Group,
}

impl Routes {
    fn new(group: Group) -> Self {
        Self { router: OpenApiRouter::with_openapi(OpenApi::default()), group }
    }

    /// Adds handlers at a path. `place` tells operations of one handler at several paths apart.
    fn at(self, path: &str, place: &str, (schemas, paths, methods): UtoipaMethodRouter<AppState>) -> Self {
        let methods = match self.group {
            // Whoever looks after servers may add what keeps caches out.
            Group::Open => methods,
            Group::Known | Group::Entry => {
                methods.layer(from_fn_with_state(Unasked::of(&paths), unasked::layer))
            }
        };
        let paths = operation::complete(paths, path, place, self.group);
        Self { router: self.router.routes((schemas, paths, methods)), group: self.group }
    }

    fn merge(self, other: Self) -> Self {
        Self { router: self.router.merge(other.router), group: self.group }
    }

    fn router(self) -> Router<AppState> {
        self.router.split_for_parts().0
    }

    fn document(self) -> OpenApi {
        self.router.into_openapi()
    }
}

/// The API.
pub fn api(state: AppState) -> Router {
    let limits = Limits::new(&state.settings.limits);
    let routes = known_routes()
        .router()
        .layer(from_fn(conditional::layer))
        .layer(from_fn_with_state(state.clone(), idempotency::layer))
        .layer(from_fn_with_state(state.clone(), auth::layer))
        .merge(entry_routes().router())
        .layer(from_fn(accept::layer))
        .layer(from_fn_with_state(limits, limits::layer))
        .merge(open_routes().router())
        .merge(openapi::viewer());
    finish(routes, state.settings.limits.body_bytes, state)
}

/// What the API is, as OpenAPI 3.1.
pub fn document() -> OpenApi {
    openapi::about(known_routes().merge(entry_routes()).merge(open_routes()).document())
}

/// What is answered to those who have signed in.
fn known_routes() -> Routes {
    customer_routes()
        .merge(org_routes("/orgs", ""))
        .merge(org_routes("/org", "_by_alias"))
        .merge(org_routes("/projects", "_as_project"))
        .merge(space_routes())
        .merge(user_routes())
        .merge(site_routes())
        .at("/sessions", "", routes!(sessions::list, sessions::end_all))
        .at("/sessions/current", "", routes!(sessions::end))
        .at("/logins", "", routes!(logins::list, logins::link))
        .at("/logins/{login}", "", routes!(logins::unlink))
        .at("/events", "", routes!(events::list))
        .merge(webhook_routes())
        .at("/usage", "", routes!(usage::list))
        .at("/usage/sums", "", routes!(usage::sums))
}

/// Where one signs in: what is presented is in the request itself.
fn entry_routes() -> Routes {
    Routes::new(Group::Entry)
        .at("/sessions", "", routes!(sessions::create))
        .at("/sso", "", routes!(sso::list))
        .at("/sso/finish", "", routes!(sso::finish))
        .at("/sso/{provider}/start", "", routes!(sso::start))
        .at("/sso/{provider}/callback", "", routes!(sso::callback))
}

/// What is answered to anybody.
fn open_routes() -> Routes {
    Routes::new(Group::Open)
        .at("/healthz", "", routes!(health::live))
        .at("/readyz", "", routes!(health::ready))
        .at("/metrics", "", routes!(health::metrics))
}

/// What nodes may reach, and nothing else.
pub fn reports(state: AppState) -> Router {
    let limits = Limits::new(&state.settings.limits);
    let routes = Router::new()
        .route("/reports/{site}/{part}", post(reports::report))
        .layer(from_fn_with_state(state.relay.clone(), cluster::relay))
        .layer(from_fn_with_state(limits, limits::layer));
    finish(routes, state.settings.limits.report_bytes, state)
}

fn customer_routes() -> Routes {
    Routes::new(Group::Known)
        .at("/customers", "", routes!(customers::register, customers::list))
        .at("/customers/{cid}", "", routes!(customers::get, customers::update, customers::delete))
        .at("/customers/{cid}/restore", "", routes!(customers::restore))
        .at("/customers/{cid}/suspend", "", routes!(customers::suspend))
        .at("/customers/{cid}/resume", "", routes!(customers::resume))
        .at("/customers/{cid}/keys", "_of_customer", routes!(keys::create, keys::list))
        .at("/customers/{cid}/keys/{key}", "_of_customer", routes!(keys::get, keys::revoke))
        .at("/customers/{cid}/keys/{key}/renew", "_of_customer", routes!(keys::renew))
}

fn org_routes(root: &str, place: &str) -> Routes {
    let in_space = format!("{root}/{{cid}}/{{org}}/spaces/{{space}}/wpaas");
    Routes::new(Group::Known)
        .at(root, place, routes!(orgs::create, orgs::update_named, orgs::list))
        .at(&format!("{root}/{{cid}}"), place, routes!(orgs::list_of))
        .at(&format!("{root}/{{cid}}/{{org}}"), place, routes!(orgs::get, orgs::update, orgs::delete))
        .at(&format!("{root}/{{cid}}/{{org}}/usage"), place, routes!(usage::list_of))
        .at(&format!("{root}/{{cid}}/{{org}}/usage/sums"), place, routes!(usage::sums_of))
        .merge(site_routes_at(&in_space, &in_space, &format!("_in_org{place}")))
}

fn space_routes() -> Routes {
    Routes::new(Group::Known)
        .at("/spaces", "", routes!(spaces::create, spaces::list))
        .at("/spaces/{org_id}", "", routes!(spaces::list_of))
        .at("/spaces/{org_id}/{space}", "", routes!(spaces::get, spaces::update, spaces::delete))
}

fn user_routes() -> Routes {
    Routes::new(Group::Known)
        .at("/users", "", routes!(users::create))
        .at("/users/{cid}", "", routes!(users::update_named, users::list))
        .at("/users/{cid}/{username}", "", routes!(users::get, users::update, users::delete))
        .at("/users/{cid}/{username}/keys", "", routes!(keys::create, keys::list))
        .at("/users/{cid}/{username}/keys/{key}", "", routes!(keys::get, keys::revoke))
        .at("/users/{cid}/{username}/keys/{key}/renew", "", routes!(keys::renew))
}

fn webhook_routes() -> Routes {
    Routes::new(Group::Known)
        .at("/webhooks", "", routes!(webhooks::create, webhooks::list))
        .at("/webhooks/{webhook}", "", routes!(webhooks::get, webhooks::update, webhooks::delete))
        .at("/webhooks/{webhook}/renew", "", routes!(webhooks::renew))
        .at("/webhooks/{webhook}/replay", "", routes!(webhooks::replay))
}

fn site_routes() -> Routes {
    Routes::new(Group::Known)
        .at("/wpaas/{cid}", "_in_default_space", routes!(sites::create, sites::list))
        .at("/wpaas/{cid}/{space}", "_in_space", routes!(sites::create, sites::list))
        .merge(site_routes_at("/wpaas", "/wpaas/{cid}/{space}", ""))
}

/// Sites are made and listed at `all`, and are found below `one`.
fn site_routes_at(all: &str, one: &str, place: &str) -> Routes {
    Routes::new(Group::Known)
        .at(all, place, routes!(sites::create, sites::list))
        .at(&format!("{one}/{{name}}"), place, routes!(sites::get, sites::update, sites::delete))
        .at(&format!("{one}/{{name}}/restore"), place, routes!(sites::restore))
        .at(&format!("{one}/{{name}}/releases"), place, routes!(sites::releases, sites::refetch))
        .at(&format!("{one}/{{name}}/refetch"), &format!("{place}_by_old_name"), routes!(sites::refetch))
        .at(&format!("{one}/{{name}}/domains"), place, routes!(domains::domains))
        .at(&format!("{one}/{{name}}/domains/check"), place, routes!(domains::check_domains))
        .at(&format!("{one}/{{name}}/rollback"), place, routes!(sites::roll_back))
}

/// What every listener does around its routes; the last is the outermost.
fn finish(routes: Router<AppState>, body_bytes: usize, state: AppState) -> Router {
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(body_bytes))
        .layer(CatchPanicLayer::custom(limits::panicked))
        .layer(from_fn_with_state(state.metrics.clone(), observe::layer))
        .layer(from_fn_with_state(state.clone(), say_simulated))
        .layer(from_fn(request_id::layer))
        .with_state(state)
}

async fn unknown() -> Problem {
    Problem::not_found()
}

async fn wrong_method(method: Method) -> Problem {
    let detail = format!("{method} is not possible here; see the Allow header");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Where nothing real runs, every answer says so.
async fn say_simulated(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if state.simulated.is_some() {
        response.headers_mut().insert("x-wpaas-simulated", HeaderValue::from_static("true"));
    }
    response
}
