//! What each route does to what, and what it is sent: one line a route.

use axum::http::Method;
use serde_json::{Value, json};
use wpaas_core::access::Action as A;

use super::world::Target;

/// What a route names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What is answered to anybody.
    Anybody,
    /// What belongs to whoever asks: nobody else's can be named.
    Own,
    /// The caller's customer, which is not named; the installation for the operator.
    OwnCustomer,
    System,
    Webhook,
    Customer,
    CustomerKey,
    User,
    UserKey,
    Org,
    Space,
    /// The default space of the customer's default org.
    DefaultSpace,
    Site,
}

impl Level {
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Anybody | Self::Own | Self::OwnCustomer | Self::System => None,
            Self::Customer | Self::Webhook => Some(Self::System),
            Self::CustomerKey | Self::User | Self::Org | Self::DefaultSpace => Some(Self::Customer),
            Self::UserKey => Some(Self::User),
            Self::Space => Some(Self::Org),
            Self::Site => Some(Self::Space),
        }
    }

    /// Found in a place that the rules have decided on.
    pub const fn is_leaf(self) -> bool {
        matches!(self, Self::Site | Self::CustomerKey | Self::UserKey | Self::Webhook)
    }
}

/// A request to a route, with the names of the target still to be filled in.
#[derive(Debug, Clone)]
pub struct Ask {
    pub action: A,
    pub level: Level,
    pub method: Method,
    /// With `{slots}`, also in the query.
    pub target: String,
    /// With `{slots}`.
    pub body: Option<String>,
    /// Sent where what is changed has a version.
    pub if_match: Option<&'static str>,
    /// What of the answer is wanted, besides JSON.
    pub accept: Option<&'static str>,
}

impl Ask {
    /// The same of whatever version is there.
    pub fn of_any_version(&self) -> Self {
        Self { if_match: self.if_match.and(Some("*")), ..self.clone() }
    }

    /// The same of another version than is there.
    pub fn of_another_version(&self) -> Self {
        Self { if_match: Some("\"99\""), ..self.clone() }
    }

    fn streamed(self) -> Self {
        Self { accept: Some("text/event-stream"), ..self }
    }

    /// The same, each with another kind's id, or none, in one slot of its query or body.
    pub fn with_wrong_kinds_beside_the_path(&self, own: &Target) -> Vec<Self> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let (query, body) = (query.to_owned(), self.body.clone().unwrap_or_default());
        let slots = ["{cid}", "{org_id}", "{space_id}", "{site_id}", "{org}", "{space}"];
        let wrongs = slots.into_iter().flat_map(|slot| {
            let wrong = match slot {
                "{org_id}" => own.site_id.to_string(),
                "{space_id}" | "{cid}" => own.org_id.to_string(),
                _ => own.space_id.to_string(),
            };
            let target = format!("{path}?{}", query.replace(slot, &wrong));
            let in_query = query.contains(slot).then(|| Self { target, ..self.clone() });
            let in_body =
                body.contains(slot).then(|| Self { body: Some(body.replace(slot, &wrong)), ..self.clone() });
            in_query.into_iter().chain(in_body)
        });
        wrongs.collect()
    }

    pub fn with_wrong_kind(&self, slot: &str, own: &Target) -> Self {
        let wrong = match slot {
            "{cid}" | "{space}" | "{org}" => own.org_id.to_string(),
            "{org_id}" | "{name}" => own.space_id.to_string(),
            "{username}" => own.site_id.to_string(),
            "{key}" | "{login}" | "{webhook}" => own.user_id.to_string(),
            other => panic!("which kind is {other} of?"),
        };
        Self { target: self.target.replacen(slot, &wrong, 1), ..self.clone() }
    }
}

/// A space by its customer.
const DEFAULT: &str = "/spaces/{cid}/default";

/// What a route is asked.
#[expect(clippy::too_many_lines, reason = "a table: some lines a route")]
pub fn asks(method: &Method, path: &str) -> Vec<Ask> {
    let known = ["/projects", "/org/"].iter().find_map(|alias| path.strip_prefix(alias));
    let known = if path == "/org" { Some("") } else { known };
    let known = known.map_or(path.to_owned(), |rest| format!("/orgs/{}", rest.trim_start_matches('/')));
    let line = format!("{method} {}", known.trim_end_matches('/'));
    let unversioned = ["{key}", "{login}", "/sessions", "/current"].iter().any(|end| path.ends_with(end));
    let has_version = matches!(*method, Method::PUT | Method::DELETE) && !unversioned;
    let ask = |action, level, query: &str, body: Option<Value>| Ask {
        action,
        level,
        method: method.clone(),
        target: format!("{path}{query}"),
        body: body.map(|body| body.to_string()),
        if_match: has_version.then_some("\"99\""),
        accept: None,
    };
    let at =
        |target: &str, action, level, body| Ask { target: target.to_owned(), ..ask(action, level, "", body) };
    let plain = |action, level| vec![ask(action, level, "", None)];
    let with = |action, level, body: Value| vec![ask(action, level, "", Some(body))];
    let email = "a@example.com";
    match line.as_str() {
        "POST /customers" => with(A::CustomerRegister, Level::System, json!({"name": "New", "email": email})),
        "GET /customers" => plain(A::CustomerList, Level::System),
        "PUT /customers/{cid}" => {
            let ask = |action, body| ask(action, Level::Customer, "", Some(body));
            vec![
                ask(A::CustomerUpdate, json!({"name": "Other"})),
                ask(A::CustomerBilling, json!({"status": "paid"})),
                ask(A::CustomerSuspend, json!({"status": "suspended"})),
            ]
        }
        "DELETE /customers/{cid}" | "POST /customers/{cid}/restore" => {
            plain(A::CustomerDelete, Level::Customer)
        }
        "POST /customers/{cid}/suspend" | "POST /customers/{cid}/resume" => {
            plain(A::CustomerSuspend, Level::Customer)
        }
        "POST /customers/{cid}/keys" => with(A::KeyManage, Level::Customer, json!({})),
        "GET /customers/{cid}/keys" => plain(A::KeyManage, Level::Customer),
        "GET /customers/{cid}/keys/{key}"
        | "DELETE /customers/{cid}/keys/{key}"
        | "POST /customers/{cid}/keys/{key}/renew" => plain(A::KeyManage, Level::CustomerKey),
        "POST /orgs" => with(A::OrgCreate, Level::Customer, json!({"cid": "{cid}", "name": "new"})),
        "PUT /orgs" => with(A::OrgUpdate, Level::Org, json!({"cid": "{cid}", "name": "{org}"})),
        "GET /orgs" => vec![
            ask(A::CustomerRead, Level::Customer, "?cid={cid}", None),
            ask(A::OrgRead, Level::Org, "?cid={cid}&name={org}", None),
            ask(A::CustomerRead, Level::OwnCustomer, "", None),
        ],
        "GET /customers/{cid}" => plain(A::CustomerRead, Level::Customer),
        "GET /orgs/{cid}" => vec![
            ask(A::CustomerRead, Level::Customer, "", None),
            ask(A::OrgRead, Level::Org, "?name={org}", None),
        ],
        "GET /users/{cid}" => vec![
            ask(A::CustomerRead, Level::Customer, "", None),
            ask(A::UserRead, Level::User, "?name={username}", None),
        ],
        "PUT /orgs/{cid}/{org}" => with(A::OrgUpdate, Level::Org, json!({"description": "other"})),
        "DELETE /orgs/{cid}/{org}" => plain(A::OrgDelete, Level::Org),
        "POST /spaces" => with(A::SpaceCreate, Level::Org, json!({"org_id": "{org_id}", "name": "new"})),
        "GET /spaces" => vec![
            ask(A::OrgRead, Level::Org, "?org_id={org_id}", None),
            ask(A::SpaceRead, Level::Space, "?org_id={org_id}&name={space}", None),
            ask(A::CustomerRead, Level::Customer, "?cid={cid}", None),
            ask(A::CustomerRead, Level::Customer, "?cid={cid}&name={space}", None),
            ask(A::CustomerRead, Level::OwnCustomer, "", None),
        ],
        "GET /orgs/{cid}/{org}" => plain(A::OrgRead, Level::Org),
        "GET /spaces/{org_id}" => vec![
            ask(A::OrgRead, Level::Org, "", None),
            ask(A::SpaceRead, Level::Space, "?name={space}", None),
            at("/spaces/{cid}", A::CustomerRead, Level::Customer, None),
        ],
        "GET /spaces/{org_id}/{space}" => {
            vec![
                ask(A::SpaceRead, Level::Space, "", None),
                at(DEFAULT, A::SpaceRead, Level::DefaultSpace, None),
            ]
        }
        "PUT /spaces/{org_id}/{space}" => {
            let body = || Some(json!({"description": "other"}));
            vec![
                ask(A::SpaceUpdate, Level::Space, "", body()),
                at(DEFAULT, A::SpaceUpdate, Level::DefaultSpace, body()),
            ]
        }
        "DELETE /spaces/{org_id}/{space}" => vec![
            ask(A::SpaceDelete, Level::Space, "", None),
            at(DEFAULT, A::SpaceDelete, Level::DefaultSpace, None),
        ],
        "POST /users" => {
            let user = json!({"cid": "{cid}", "name": "new", "email": email});
            with(A::UserCreate, Level::Customer, user)
        }
        "PUT /users/{cid}" => {
            let profile = json!({"username": "{username}", "name": "Other"});
            let grant = json!({"username": "{username}", "enabled": true});
            let ask = |action, body| ask(action, Level::User, "", Some(body));
            vec![ask(A::ProfileUpdate, profile), ask(A::UserUpdate, grant)]
        }
        "GET /users/{cid}/{username}" => plain(A::UserRead, Level::User),
        "PUT /users/{cid}/{username}" => {
            let ask = |action, body| ask(action, Level::User, "", Some(body));
            vec![
                ask(A::ProfileUpdate, json!({"name": "Other"})),
                ask(A::UserUpdate, json!({"enabled": true})),
            ]
        }
        "DELETE /users/{cid}/{username}" => plain(A::UserDelete, Level::User),
        "POST /users/{cid}/{username}/keys" => with(A::KeyManage, Level::User, json!({})),
        "GET /users/{cid}/{username}/keys" => plain(A::KeyManage, Level::User),
        "GET /users/{cid}/{username}/keys/{key}"
        | "DELETE /users/{cid}/{username}/keys/{key}"
        | "POST /users/{cid}/{username}/keys/{key}/renew" => plain(A::KeyManage, Level::UserKey),
        // Anybody may try: what is presented is in the request, and is asked in tests/api/sessions.rs and sso.rs.
        "POST /sessions"
        | "POST /sso/finish"
        | "GET /sso/{provider}/start"
        | "GET /sso/{provider}/callback" => Vec::new(),
        "GET /sso" | "GET /healthz" | "GET /readyz" | "GET /metrics" => {
            plain(A::CustomerRead, Level::Anybody)
        }
        "GET /sessions"
        | "DELETE /sessions"
        | "DELETE /sessions/current"
        | "GET /logins"
        | "DELETE /logins/{login}" => plain(A::KeyManage, Level::Own),
        // Whom a right one links, tests/api/sso.rs says.
        "POST /logins" => with(A::KeyManage, Level::Own, json!({"ticket": "wpt_00"})),
        "GET /events" => vec![
            ask(A::EventRead, Level::Org, "?cid={cid}&org_id={org_id}", None),
            ask(A::EventRead, Level::Space, "?cid={cid}&space_id={space_id}", None),
            ask(A::EventRead, Level::Site, "?cid={cid}&site_id={site_id}", None),
            ask(A::EventRead, Level::Customer, "?cid={cid}", None),
            ask(A::EventRead, Level::OwnCustomer, "", None),
            ask(A::EventRead, Level::Customer, "?cid={cid}", None).streamed(),
            ask(A::EventRead, Level::Site, "?cid={cid}&site_id={site_id}", None).streamed(),
            ask(A::EventRead, Level::OwnCustomer, "", None).streamed(),
        ],
        "GET /usage" | "GET /usage/sums" => vec![
            ask(A::UsageRead, Level::Org, "?cid={cid}&org_id={org_id}", None),
            ask(A::UsageRead, Level::Customer, "?cid={cid}", None),
            ask(A::UsageRead, Level::OwnCustomer, "", None),
        ],
        "GET /orgs/{cid}/{org}/usage" | "GET /orgs/{cid}/{org}/usage/sums" => plain(A::UsageRead, Level::Org),
        _ if path.starts_with("/webhooks") => {
            let (level, query, body) = of_webhooks(&line);
            vec![ask(A::WebhookManage, level, query, body)]
        }
        _ if path.contains("wpaas") => {
            let (action, level, query, body) = of_sites(&line, method, path);
            vec![ask(action, level, query, body)]
        }
        _ => panic!("the matrix does not know {line}: say what it does to what"),
    }
}

fn of_sites(line: &str, method: &Method, path: &str) -> (A, Level, &'static str, Option<Value>) {
    let (site, sites) = ("?org={org}", "?cid={cid}&org={org}&space={space}");
    let new = json!({"cid": "{cid}", "org": "{org}", "space": "{space}", "name": "new"});
    match (method.as_str(), path.rsplit('/').next()) {
        ("POST", Some("wpaas" | "{cid}" | "{space}")) => (A::SiteCreate, Level::Space, "", Some(new)),
        ("GET", Some("wpaas" | "{cid}" | "{space}")) => (A::SiteRead, Level::Space, sites, None),
        ("GET", Some("{name}" | "releases" | "domains")) => (A::SiteRead, Level::Site, site, None),
        ("PUT", Some("{name}")) => (A::SiteUpdate, Level::Site, site, Some(json!({"title": "Other"}))),
        ("DELETE", Some("{name}")) | ("POST", Some("restore")) => (A::SiteDelete, Level::Site, site, None),
        ("POST", Some("refetch" | "releases" | "rollback" | "check")) => {
            (A::SiteUpdate, Level::Site, site, None)
        }
        _ => panic!("the matrix does not know {line}: say what it does to what"),
    }
}

fn of_webhooks(line: &str) -> (Level, &'static str, Option<Value>) {
    match line {
        "POST /webhooks" => (Level::System, "", Some(json!({"url": "https://ops.example.com/hook"}))),
        "GET /webhooks" => (Level::System, "", None),
        "PUT /webhooks/{webhook}" => (Level::Webhook, "", Some(json!({"description": "other"}))),
        "GET /webhooks/{webhook}" | "DELETE /webhooks/{webhook}" | "POST /webhooks/{webhook}/renew" => {
            (Level::Webhook, "", None)
        }
        "POST /webhooks/{webhook}/replay" => (Level::Webhook, "?from=1", None),
        _ => panic!("the matrix does not know {line}: say what it does to what"),
    }
}
