//! Sites as they are asked for.

use std::collections::BTreeMap;

use serde::Deserialize;
use wpaas_core::code::Code;
use wpaas_core::code::reference::CodePolicy;
use wpaas_core::name::{Cid, Email, Hostname, Slug, Username};
use wpaas_core::secret::Secret;
use wpaas_core::service::{FeaturesUpdate, NewSite, SiteUpdate};
use wpaas_core::site::{AddressKind, DatabaseSize, Features};

use super::autoscale::AutoscaleDto;
use super::code::CodeDto;
use super::hsts::HstsDto;
use super::route::{RouteDto, Routes, shown};
use super::schema;
use crate::extract::{Credential, Nullable, Object, SecretText};
use crate::problem::Problem;

/// `POST /wpaas…`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSiteDto {
    /// Must be the path's, where that names it.
    pub cid: Option<Cid>,
    /// Must be the path's, where that names it.
    pub org: Option<Slug>,
    /// Must be the path's, where that names it.
    pub space: Option<Slug>,
    name: Slug,
    #[schema(value_type = Option<schema::Line>)]
    title: Option<String>,
    admin_username: Option<Username>,
    admin_email: Option<Email>,
    #[schema(value_type = schema::AdminPassword)]
    admin_password: Option<SecretText>,
    code: Option<CodeDto>,
    #[schema(maximum = 20)]
    num_instances: Option<u16>,
    #[schema(value_type = Option<DatabaseDto>)]
    database: Option<Object<DatabaseDto>>,
    #[serde(default)]
    #[schema(value_type = FeaturesDto)]
    features: Object<FeaturesDto>,
    #[serde(default)]
    #[schema(max_items = 50)]
    domains: Vec<Hostname>,
    primary_domain: Option<Hostname>,
    #[serde(default)]
    address: AddressKind,
    #[serde(default)]
    #[schema(value_type = Routes)]
    routes: BTreeMap<Slug, Object<RouteDto>>,
    #[serde(default)]
    #[schema(value_type = schema::Labels)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    deletion_protection: bool,
}

/// The database service.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseDto {
    num_instances: DatabaseSize,
}

/// Optional behaviour.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesDto {
    #[serde(default)]
    autoscale: AutoscaleDto,
    #[serde(default)]
    hsts: HstsDto,
}

impl From<FeaturesDto> for Features {
    fn from(FeaturesDto { autoscale, hsts }: FeaturesDto) -> Self {
        Self { autoscale: autoscale.into(), hsts: hsts.into() }
    }
}

/// Optional behaviour: what is left out stays as it is.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesUpdateDto {
    autoscale: Option<AutoscaleDto>,
    hsts: Option<HstsDto>,
}

impl From<FeaturesUpdateDto> for FeaturesUpdate {
    fn from(FeaturesUpdateDto { autoscale, hsts }: FeaturesUpdateDto) -> Self {
        Self { autoscale: autoscale.map(Into::into), hsts: hsts.map(Into::into) }
    }
}

impl NewSiteDto {
    /// As the service takes it.
    pub fn into_new(self, policy: &CodePolicy) -> Result<NewSite, Problem> {
        let Self {
            cid: _,
            org: _,
            space: _,
            name,
            title,
            admin_username,
            admin_email,
            admin_password,
            mut code,
            num_instances,
            database,
            features,
            domains,
            primary_domain,
            address,
            routes,
            labels,
            deletion_protection,
        } = self;
        let code_credential = code.as_mut().and_then(|code| code.take_credential().into_value());
        Ok(NewSite {
            name,
            title,
            admin_username,
            admin_email,
            admin_password: admin_password.map(|SecretText(secret)| secret),
            code: code.map(|code| code.read(policy)).transpose()?,
            code_credential: code_credential.map(|Credential(secret)| secret),
            num_instances,
            database: database.map(|Object(DatabaseDto { num_instances })| num_instances),
            features: features.0.into(),
            domains,
            primary_domain,
            address,
            routes: shown(routes),
            labels,
            deletion_protection,
        })
    }
}

/// `PUT /wpaas…`: what is left out stays as it is.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteUpdateDto {
    /// Must be the path's.
    pub cid: Option<Cid>,
    /// Must be the path's.
    pub org: Option<Slug>,
    /// Must be the path's.
    pub space: Option<Slug>,
    /// Must be the path's.
    pub name: Option<Slug>,
    #[schema(value_type = Option<schema::Line>)]
    title: Option<String>,
    #[schema(value_type = Option<schema::AdminPassword>)]
    admin_password: Option<SecretText>,
    #[serde(default)]
    #[schema(value_type = Option<CodeDto>)]
    code: Nullable<CodeDto>,
    #[schema(maximum = 20)]
    num_instances: Option<u16>,
    #[schema(value_type = Option<DatabaseDto>)]
    database: Option<Object<DatabaseDto>>,
    #[schema(value_type = Option<FeaturesUpdateDto>)]
    features: Option<Object<FeaturesUpdateDto>>,
    #[schema(max_items = 50)]
    domains: Option<Vec<Hostname>>,
    #[serde(default)]
    #[schema(value_type = Option<Hostname>)]
    primary_domain: Nullable<Hostname>,
    address: Option<AddressKind>,
    #[schema(value_type = Option<Routes>)]
    routes: Option<BTreeMap<Slug, Object<RouteDto>>>,
    #[schema(value_type = Option<schema::Labels>)]
    labels: Option<BTreeMap<String, String>>,
    deletion_protection: Option<bool>,
}

impl SiteUpdateDto {
    /// As the service takes it.
    pub fn into_update(self, policy: &CodePolicy) -> Result<SiteUpdate, Problem> {
        let Self {
            cid: _,
            org: _,
            space: _,
            name: _,
            title,
            admin_password,
            code,
            num_instances,
            database,
            features,
            domains,
            primary_domain,
            address,
            routes,
            labels,
            deletion_protection,
        } = self;
        let (code, code_credential) = code_change(code, policy)?;
        let primary_domain = primary_domain.into_change(|domain| domain);
        Ok(SiteUpdate {
            title,
            admin_password: admin_password.map(|SecretText(secret)| secret),
            code,
            code_credential,
            num_instances,
            database: database.map(|Object(DatabaseDto { num_instances })| num_instances),
            features: features.map(|Object(features)| features.into()).unwrap_or_default(),
            domains,
            primary_domain,
            address,
            routes: routes.map(shown),
            labels,
            deletion_protection,
        })
    }
}

type Change<T> = Option<Option<T>>;

fn code_change(
    code: Nullable<CodeDto>,
    policy: &CodePolicy,
) -> Result<(Change<Code>, Change<Secret>), Problem> {
    match code {
        Nullable::Absent => Ok((None, None)),
        Nullable::Null => Ok((Some(None), Some(None))),
        Nullable::Value(mut dto) => {
            let credential = dto.take_credential().into_change(|Credential(secret)| secret);
            Ok((Some(Some(dto.read(policy)?)), credential))
        }
    }
}
