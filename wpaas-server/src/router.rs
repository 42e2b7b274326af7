//! Every route, in one place.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::handlers::{customers, events, health, keys, orgs, reports, sessions, sites, spaces, users};
use crate::limits::{self, Limits};
use crate::problem::Problem;
use crate::state::AppState;
use crate::{accept, auth, conditional, idempotency, observe, request_id};

#[cfg(test)]
mod access;

/// Routes and the paths that they are at: `access` asks each of them as everybody, so none can be left out there.
#[derive(Default)]
struct Routes {
    router: Router<AppState>,
    paths: Vec<String>,
}

impl Routes {
    fn route(mut self, path: &str, methods: MethodRouter<AppState>) -> Self {
        self.paths.push(path.to_owned());
        Self { router: self.router.route(path, methods), paths: self.paths }
    }

    fn merge(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        Self { router: self.router.merge(other.router), paths: self.paths }
    }
}

/// The API.
pub fn api(state: AppState) -> Router {
    let limits = Limits::new(&state.settings.limits);
    let routes = known_routes()
        .router
        .layer(from_fn(conditional::layer))
        .layer(from_fn_with_state(state.clone(), idempotency::layer))
        .layer(from_fn_with_state(state.clone(), auth::layer))
        .merge(entry_routes().router)
        .layer(from_fn(accept::layer))
        .layer(from_fn_with_state(limits, limits::layer))
        .merge(open_routes().router);
    finish(routes, state.settings.limits.body_bytes, state)
}

/// What is answered to those who have signed in.
fn known_routes() -> Routes {
    customer_routes()
        .merge(org_routes("/orgs"))
        .merge(org_routes("/org"))
        .merge(org_routes("/projects"))
        .merge(space_routes())
        .merge(user_routes())
        .merge(site_routes())
        .route("/sessions", get(sessions::list).delete(sessions::end_all))
        .route("/sessions/current", delete(sessions::end))
        .route("/events", get(events::list))
}

/// Where one signs in: what is presented is in the request itself.
fn entry_routes() -> Routes {
    Routes::default().route("/sessions", post(sessions::create))
}

/// What is answered to anybody.
fn open_routes() -> Routes {
    Routes::default()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
}

/// What nodes may reach, and nothing else.
pub fn reports(state: AppState) -> Router {
    let limits = Limits::new(&state.settings.limits);
    let routes = Router::new()
        .route("/reports/{site}/{part}", post(reports::report))
        .layer(from_fn_with_state(limits, limits::layer));
    finish(routes, state.settings.limits.report_bytes, state)
}

fn customer_routes() -> Routes {
    Routes::default()
        .route("/customers", post(customers::register).get(customers::list))
        .route("/customers/{cid}", get(customers::get).put(customers::update).delete(customers::delete))
        .route("/customers/{cid}/restore", post(customers::restore))
        .route("/customers/{cid}/suspend", post(customers::suspend))
        .route("/customers/{cid}/resume", post(customers::resume))
        .route("/customers/{cid}/keys", post(keys::create).get(keys::list))
        .route("/customers/{cid}/keys/{key}", delete(keys::revoke))
        .route("/customers/{cid}/keys/{key}/renew", post(keys::renew))
}

fn org_routes(root: &str) -> Routes {
    let in_space = format!("{root}/{{cid}}/{{org}}/spaces/{{space}}/wpaas");
    Routes::default()
        .route(root, post(orgs::create).put(orgs::update_named).get(orgs::list))
        .route(&format!("{root}/{{cid}}"), get(orgs::list_of))
        .route(&format!("{root}/{{cid}}/{{org}}"), get(orgs::get).put(orgs::update).delete(orgs::delete))
        .merge(site_routes_at(&in_space, &in_space))
}

fn space_routes() -> Routes {
    let one = get(spaces::get).put(spaces::update).delete(spaces::delete);
    Routes::default()
        .route("/spaces", post(spaces::create).get(spaces::list))
        .route("/spaces/{org_id}", get(spaces::list_of))
        .route("/spaces/{org_id}/{space}", one)
}

fn user_routes() -> Routes {
    Routes::default()
        .route("/users", post(users::create))
        .route("/users/{cid}", put(users::update_named).get(users::list))
        .route("/users/{cid}/{username}", get(users::get).put(users::update).delete(users::delete))
        .route("/users/{cid}/{username}/keys", post(keys::create).get(keys::list))
        .route("/users/{cid}/{username}/keys/{key}", delete(keys::revoke))
        .route("/users/{cid}/{username}/keys/{key}/renew", post(keys::renew))
}

fn site_routes() -> Routes {
    Routes::default()
        .route("/wpaas/{cid}", post(sites::create).get(sites::list))
        .route("/wpaas/{cid}/{space}", post(sites::create).get(sites::list))
        .merge(site_routes_at("/wpaas", "/wpaas/{cid}/{space}"))
}

/// Sites are made and listed at `all`, and are found below `one`.
fn site_routes_at(all: &str, one: &str) -> Routes {
    let site = get(sites::get).put(sites::update).delete(sites::delete);
    Routes::default()
        .route(all, post(sites::create).get(sites::list))
        .route(&format!("{one}/{{name}}"), site)
        .route(&format!("{one}/{{name}}/restore"), post(sites::restore))
        .route(&format!("{one}/{{name}}/refetch"), post(sites::refetch))
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
    if state.simulated {
        response.headers_mut().insert("x-wpaas-simulated", HeaderValue::from_static("true"));
    }
    response
}
