//! The API's own description: `/openapi.json`, and `/docs` to read it in a browser, without any network.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::PartialSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Info, License, OpenApi, RefOr, ResponseBuilder, Server};
use utoipa_swagger_ui::Config;

use crate::problem::{Document, Problem};
use crate::router;
use crate::state::AppState;

pub mod operation;

/// Nothing but what this server itself sends runs on the page.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/// Written once: it is the same for all.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| router::document().to_json().map(Bytes::from).unwrap_or_default());

/// The document and its viewer; for anybody.
pub fn viewer() -> Router<AppState> {
    Router::new()
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())))
        .route("/docs", get(async || Redirect::permanent("/docs/index.html")))
        .route("/docs/{*file}", get(page))
}

async fn page(Path(file): Path<String>) -> Result<Response, Problem> {
    let config = Arc::new(Config::from("/openapi.json").validator_url("none"));
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|error| Problem::internal(&*error))?;
    let file = found.ok_or_else(Problem::not_found)?;
    let headers = [(CONTENT_TYPE, file.content_type), (CONTENT_SECURITY_POLICY, POLICY.to_owned())];
    Ok((headers, file.bytes.into_owned()).into_response())
}

/// Says what is said once for all operations.
pub fn about(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("wpaas", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "WordPress hosting: customers, their orgs, spaces and users, and sites. Errors are problem details (RFC 9457) \
         with a stable `code`. `Idempotency-Key` makes a POST safe to send again (a sign-in is made anew all the same); `If-Match` keeps a change from \
         overwriting another; lists go on with the `cursor` that the page before gave as `next`."
            .to_owned(),
    );
    info.license = Some(License::new("MIT OR Apache-2.0"));
    document.info = info;
    document.servers = Some(vec![Server::new("/")]);
    describe_common(document.components.get_or_insert_with(Components::new));
    document
}

fn describe_common(components: &mut Components) {
    let http = |scheme, text: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(text)).build())
    };
    let bearer = http(HttpAuthScheme::Bearer, "An API key, a session's token or the operator's token");
    let basic = http(HttpAuthScheme::Basic, "`cid/username` for a user, `username` for a customer itself");
    components.add_security_scheme("bearer", bearer);
    components.add_security_scheme("basic", basic);
    components.schemas.insert("Problem".to_owned(), Document::schema());
    for name in operation::common_schemas() {
        components.schemas.entry(name.0).or_insert(name.1);
    }
    let reference = RefOr::Ref(utoipa::openapi::Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(reference)).build();
    let problem = ResponseBuilder::new().description("Why not").content(operation::PROBLEM, content).build();
    components.responses.insert("Problem".to_owned(), RefOr::T(problem));
}

#[cfg(test)]
mod tests;
