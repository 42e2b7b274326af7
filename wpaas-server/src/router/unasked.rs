//! What an operation does not take is refused by name: parameters after the question mark, and a body.

use std::sync::Arc;

use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, Paths};

use crate::extract::{MaybeBody, Query};
use crate::openapi::operation::operations;
use crate::problem::Problem;

/// The methods of a path that take nothing of a kind.
#[derive(Debug, Default)]
pub struct Unasked {
    parameters: Vec<Method>,
    body: Vec<Method>,
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
                if operation.request_body.is_none() && method != Method::GET {
                    unasked.body.push(method);
                }
            }
        }
        Arc::new(unasked)
    }
}

fn has_parameters(operation: &Operation) -> bool {
    let parameters = operation.parameters.iter().flatten();
    let mut known = parameters.filter_map(|one| if let RefOr::T(one) = one { Some(one) } else { None });
    known.any(|one| one.parameter_in == ParameterIn::Query)
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
    if unasked.parameters.contains(&parts.method) {
        Query::<Nothing>::from_request_parts(&mut parts, &()).await?;
    }
    if unasked.body.contains(&parts.method) {
        let request = Request::from_parts(parts.clone(), std::mem::take(&mut body));
        MaybeBody::<Nothing>::from_request(request, &()).await?;
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}
