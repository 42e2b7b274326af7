//! More names of a site, as they are asked for.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use wpaas_core::id::ReleaseId;
use wpaas_core::name::Slug;
use wpaas_core::site::Route;

use super::schema;
use crate::extract::Object;

/// What one more name of a site shows.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteDto {
    /// A kept release; what the site serves without one.
    release: Option<ReleaseId>,
}

/// As the document tells of routes: their names are as those of sites.
#[derive(Debug)]
pub enum Routes {}

impl PartialSchema for Routes {
    fn schema() -> RefOr<Schema> {
        schema::by_name(Ref::from_schema_name(RouteDto::name())).max_properties(Some(20)).into()
    }
}

impl ToSchema for Routes {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((RouteDto::name().into_owned(), RouteDto::schema()));
        RouteDto::schemas(schemas);
    }
}

pub fn shown(routes: BTreeMap<Slug, Object<RouteDto>>) -> BTreeMap<Slug, Route> {
    routes.into_iter().map(|(route, Object(RouteDto { release }))| (route, Route { release })).collect()
}
