//! What operations have in common, so that no handler has to say it: names, slots of paths, errors, who may ask.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Required, Response, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use wpaas_core::id::{KeyId, LoginId, OrgId, SiteId, SpaceId, WebhookId};
use wpaas_core::name::{Cid, Slug, Username};

use crate::dto::schema::Grace;
use crate::dto::site_query::PhaseDto;

/// The media type of errors.
pub const PROBLEM: &str = "application/problem+json";

/// Who is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Those who have signed in.
    Known,
    /// Anybody who has something to sign in with.
    Entry,
    /// Anybody.
    Open,
}

/// The operations of one path, complete.
pub fn complete(paths: Paths, path: &str, place: &str, group: Group) -> Paths {
    let mut all = Paths::new();
    for (_, mut item) in paths.paths {
        for (method, operation) in operations(&mut item) {
            describe(operation, method, path, place, group);
        }
        all.paths.insert(path.to_owned(), item);
    }
    all
}

/// What a path has, by method.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    [("GET", get), ("PUT", put), ("POST", post), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn describe(operation: &mut Operation, method: &str, path: &str, place: &str, group: Group) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    let name = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{tag}_{name}{place}"));
    let parameters = operation.parameters.get_or_insert_default();
    // What the path says need not be said again.
    let in_path = |name: &str| path.contains(&format!("{{{name}}}"));
    parameters.retain_mut(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.schema = parameter.schema.take().map(never_null);
            !in_path(&parameter.name)
        }
        RefOr::Ref(_) => true,
    });
    for slot in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        parameters.insert(0, RefOr::T(path_parameter(slot)));
    }
    let is_post = method == "POST";
    if is_post && group == Group::Known {
        parameters.push(RefOr::T(idempotency_key()));
    }
    let conditional = parameters.iter().any(|one| matches!(one, RefOr::T(one) if one.name == "If-Match"));
    let statuses = errors(group, &tag, method != "GET", conditional, operation.request_body.is_some());
    for status in statuses {
        let problem = || RefOr::<Response>::Ref(Ref::from_response_name("Problem"));
        operation.responses.responses.entry(status.to_string()).or_insert_with(problem);
    }
    operation.security = Some(security(group, &tag, &name));
}

/// A parameter that may be left out is never null: it is left out.
fn never_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(kinds) = &object.schema_type
                && let Some(kind) = kinds.iter().find(|kind| **kind != Type::Null)
            {
                object.schema_type = SchemaType::Type(kind.clone());
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(one_of)) => {
            let mut items = one_of.items.clone().into_iter();
            items.find(|item| !is_null(item)).unwrap_or(RefOr::T(Schema::OneOf(one_of)))
        }
        other => other,
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

/// What may be answered besides what the handler says.
fn errors(group: Group, tag: &str, writes: bool, conditional: bool, body: bool) -> Vec<u16> {
    if group == Group::Open {
        return vec![500];
    }
    let mut statuses = vec![400, 401, 406, 422, 429, 500, 503, 504];
    if group == Group::Known {
        statuses.extend([403, 404]);
    }
    if tag == "sso" {
        statuses.extend([403, 404, 502]);
    }
    if group == Group::Known && writes {
        statuses.push(409);
    }
    if conditional {
        statuses.push(412);
    }
    if body {
        statuses.extend([413, 415]);
    }
    statuses
}

/// Where registration is open, a customer registers without having signed in.
fn security(group: Group, tag: &str, name: &str) -> Vec<SecurityRequirement> {
    let scheme = |name: &str| SecurityRequirement::new::<_, [&str; 0], &str>(name, []);
    match group {
        Group::Known if (tag, name) == ("customers", "register") => {
            vec![scheme("bearer"), scheme("basic"), SecurityRequirement::default()]
        }
        Group::Known => vec![scheme("bearer"), scheme("basic")],
        Group::Entry | Group::Open => vec![],
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Of the caller's choice: the same request sent again with it is done once"))
        .schema(Some(text))
        .build()
}

/// The schemas that slots and queries refer to.
pub fn common_schemas() -> Vec<(String, RefOr<Schema>)> {
    fn of<T: ToSchema + PartialSchema>() -> (String, RefOr<Schema>) {
        (T::name().into_owned(), T::schema())
    }
    vec![
        of::<Cid>(),
        of::<Slug>(),
        of::<Username>(),
        of::<KeyId>(),
        of::<LoginId>(),
        of::<OrgId>(),
        of::<SpaceId>(),
        of::<SiteId>(),
        of::<WebhookId>(),
        of::<Grace>(),
        of::<PhaseDto>(),
    ]
}

fn path_parameter(slot: &str) -> Parameter {
    let reference = |name: &str| RefOr::Ref(Ref::from_schema_name(name));
    let (schema, text): (RefOr<Schema>, _) = match slot {
        "cid" => (reference("Cid"), "The customer's id"),
        "org" => (reference("Slug"), "The org's name"),
        "space" => (reference("Slug"), "The space's name"),
        "name" => (reference("Slug"), "The site's name"),
        "username" => (reference("Username"), "The user's name"),
        "key" => (reference("KeyId"), "The key's id"),
        "webhook" => (reference("WebhookId"), "The webhook's id"),
        "login" => (reference("LoginId"), "The linked account's id"),
        "provider" => (reference("Slug"), "The identity provider's name"),
        "org_id" => {
            let either = OneOfBuilder::new().item(reference("OrgId")).item(reference("Cid"));
            (either.into(), "The org's id, or the customer's for its default org")
        }
        _ => (ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).into(), "What is meant"),
    };
    ParameterBuilder::new()
        .name(slot)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}
