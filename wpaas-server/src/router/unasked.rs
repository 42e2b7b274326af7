//! What an operation does not take is refused by name: parameters after the question mark, a body, and `If-Match`.

use std::sync::Arc;

use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use axum::http::Method;
use axum::http::header::IF_MATCH;
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, Paths};

use crate::extract::{MaybeBody, Query};
use crate::openapi::operation::operations;
use crate::problem::Problem;

/// The methods of a path that take nothing of a kind.
#[derive(Debug, Default)]
pub struct Unasked {
    parameters: Vec<Method>,
    body: Vec<Method>,
    if_match: Vec<Method>,
}

impl Unasked {
    /// Of one path, as its handlers describe themselves.
    pub fn of(paths: &Paths) -> Arc<Self> {
        let mut unasked = Self::default();
        for mut item in paths.paths.values().cloned() {
            for (name, operation) in operations(&mut item) {
                let Ok(method) = name.parse::<Method>() else { continue };
                if !has_parameters(operation) {
                    unasked.parameters.push(method.clone());
                }
                if !takes_if_match(operation) && method != Method::GET {
                    unasked.if_match.push(method.clone());
                }
                if operation.request_body.is_none() && method != Method::GET {
                    unasked.body.push(method);
                }
            }
        }
        Arc::new(unasked)
    }
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    let parameters = operation.parameters.iter().flatten();
    parameters.filter_map(|one| if let RefOr::T(one) = one { Some(one) } else { None })
}

fn has_parameters(operation: &Operation) -> bool {
    parameters(operation).any(|one| one.parameter_in == ParameterIn::Query)
}

fn takes_if_match(operation: &Operation) -> bool {
    parameters(operation).any(|one| one.name == "If-Match")
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Around the handlers of one path.
pub async fn layer(
    State(unasked): State<Arc<Unasked>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, mut body) = request.into_parts();
    if unasked.if_match.contains(&parts.method) && parts.headers.contains_key(IF_MATCH) {
        let detail = "this can't be made to depend on a version: leave `If-Match` out";
        return Err(Problem::bad_request("invalid_if_match", detail));
    }
    if unasked.parameters.contains(&parts.method) {
        Query::<Nothing>::from_request_parts(&mut parts, &()).await?;
    }
    if unasked.body.contains(&parts.method) {
        let request = Request::from_parts(parts.clone(), std::mem::take(&mut body));
        MaybeBody::<Nothing>::from_request(request, &()).await?;
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}
