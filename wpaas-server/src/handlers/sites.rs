//! `/wpaas`, and the same below `/orgs/{cid}/{org}/spaces/{space}`.

use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::name::{Cid, Slug};
use wpaas_core::service::{Mode, Rollback, SitePath, SitePlace, SiteView};

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::{ListView, page};
use crate::dto::plan::PlanView;
use crate::dto::release::{ReleaseDto, RollbackDto};
use crate::dto::site::SiteDto;
use crate::dto::site_query::{DeleteQuery, ReadQuery, RollbackQuery, SiteQuery, WriteQuery};
use crate::dto::site_request::{NewSiteDto, SiteUpdateDto};
use crate::extract::{Body, Expected, IfMatch, MaybeBody, Path, Query, agree};
use crate::idempotency;
use crate::problem::Problem;
use crate::state::AppState;

/// What the path says of where sites are.
#[derive(Debug, Deserialize)]
pub struct Place {
    cid: Option<Cid>,
    org: Option<Slug>,
    space: Option<Slug>,
}

/// What the path says of which site.
#[derive(Debug, Deserialize)]
pub struct Which {
    cid: Cid,
    org: Option<Slug>,
    space: Slug,
    name: Slug,
}

impl Place {
    /// With what query or body say besides; the customer is the caller's unless one is named.
    fn resolve(self, caller: &Caller) -> Result<SitePlace, Problem> {
        let Self { cid, org, space } = self;
        let cid = cid.or_else(|| caller.cid().cloned());
        let cid =
            cid.ok_or_else(|| Problem::field("cid", "must be given: the operator belongs to no customer"))?;
        Ok(SitePlace { cid, org, space })
    }

    /// Adds what another part of the request says, which must not differ.
    fn with(self, other: Self) -> Result<Self, Problem> {
        Ok(Self {
            cid: both("cid", self.cid, other.cid)?,
            org: both("org", self.org, other.org)?,
            space: both("space", self.space, other.space)?,
        })
    }
}

impl Which {
    /// With what the query says besides.
    pub fn resolve(self, org: Option<Slug>) -> Result<SitePath, Problem> {
        let Self { cid, org: named, space, name } = self;
        let org = both("org", named, org)?;
        Ok(SitePath { place: SitePlace { cid, org, space: Some(space) }, name })
    }
}

fn both<T: PartialEq>(field: &'static str, one: Option<T>, other: Option<T>) -> Result<Option<T>, Problem> {
    match one {
        Some(one) => agree(field, one, other).map(Some),
        None => Ok(other),
    }
}

/// What would be done, and nothing is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Preview {
    dry_run: bool,
    site: SiteDto,
    /// Null while the converger can't tell.
    plan: Option<PlanView>,
}

/// A write is kept at once and done later; a dry run tells what would be done.
async fn written(state: &AppState, view: SiteView, mode: Mode) -> Response {
    if mode == Mode::Commit {
        return accepted(state, view).into_response();
    }
    let intent = state.service.intent_of(&view, Timestamp::now());
    let plan = state.converger.preview(intent).await.map(Into::into);
    Answer::ok(Preview { dry_run: true, site: state.shown(view), plan }).into_response()
}

fn accepted(state: &AppState, view: SiteView) -> Answer<SiteDto> {
    let site = state.shown(view);
    let (generation, place) = (site.generation(), site.path());
    Answer::accepted(site).version_of_part(generation).at(place)
}

/// Makes a site.
#[utoipa::path(post, path = "", tag = "sites", params(WriteQuery), request_body = NewSiteDto, responses((status = 202, description = "Kept; the converger works on it", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Path(place): Path<Place>,
    Query(query): Query<WriteQuery>,
    Body(mut dto): Body<NewSiteDto>,
) -> Result<Response, Problem> {
    let mode = query.mode();
    let asked = Place { cid: None, org: query.org, space: None };
    let named = Place { cid: dto.cid.take(), org: dto.org.take(), space: dto.space.take() };
    let place = place.with(asked)?.with(named)?.resolve(&caller)?;
    let new = dto.into_new(&state.code_policy)?;
    // It is known before the site is made, and kept with it under an idempotency key.
    let kept = Mutex::new(None);
    let answer = |view: &SiteView| {
        let answer = accepted(&state, view.clone()).written().ok()?;
        let keep = idempotency::answer(&answer);
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        keep
    };
    let now = Timestamp::now();
    let view = state.service.create_site_answered(&caller.0, &place, new, mode, now, answer).await?;
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    match kept {
        Some(kept) => Ok(kept.into_response()),
        None => Ok(written(&state, view, mode).await),
    }
}

/// The sites of a space.
#[utoipa::path(get, path = "", tag = "sites", params(SiteQuery), responses((status = 200, description = "A page of sites", body = ListView<SiteDto>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Path(place): Path<Place>,
    Query(query): Query<SiteQuery>,
) -> Result<Answer<ListView<SiteDto>>, Problem> {
    let filter = query.filter();
    let asked = Place { cid: query.cid, org: query.org, space: query.space };
    let place = place.with(asked)?.resolve(&caller)?;
    let page = page(query.cursor, query.limit);
    let listed = state.service.sites(&caller.0, &place, &filter, page).await?;
    Ok(Answer::ok(ListView::new(listed, |view| state.shown(view))))
}

/// One site.
#[utoipa::path(get, path = "", tag = "sites", params(ReadQuery), responses((status = 200, description = "The site", body = SiteDto)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<ReadQuery>,
) -> Result<Answer<SiteDto>, Problem> {
    let view = state.service.site(&caller.0, &which.resolve(query.org)?).await?;
    let site = state.shown(view);
    let generation = site.generation();
    Ok(Answer::ok(site).version_of_part(generation))
}

/// Changes what is wanted of a site.
#[utoipa::path(put, path = "", tag = "sites", params(WriteQuery, IfMatch), request_body = SiteUpdateDto, responses((status = 202, description = "Kept; the converger works on it", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<WriteQuery>,
    Expected(if_match): Expected,
    Body(mut dto): Body<SiteUpdateDto>,
) -> Result<Response, Problem> {
    let mode = query.mode();
    agree("cid", &which.cid, dto.cid.as_ref())?;
    agree("space", &which.space, dto.space.as_ref())?;
    agree("name", &which.name, dto.name.as_ref())?;
    let path = which.resolve(both("org", query.org, dto.org.take())?)?;
    let update = dto.into_update(&state.code_policy)?;
    let now = Timestamp::now();
    let view = state.service.update_site(&caller.0, &path, update, if_match, mode, now).await?;
    Ok(written(&state, view, mode).await)
}

/// Deletes a site.
#[utoipa::path(delete, path = "", tag = "sites", params(DeleteQuery, IfMatch), responses((status = 202, description = "Going; can be restored within its grace", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<DeleteQuery>,
    Expected(if_match): Expected,
) -> Result<Response, Problem> {
    let (mode, grace) = (query.mode(), query.grace());
    let path = which.resolve(query.org)?;
    let now = Timestamp::now();
    let view = state.service.delete_site(&caller.0, &path, grace, if_match, mode, now).await?;
    Ok(written(&state, view, mode).await)
}

/// Takes a deletion back.
#[utoipa::path(post, path = "", tag = "sites", params(WriteQuery), responses((status = 202, description = "Kept; the converger works on it", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn restore(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<WriteQuery>,
) -> Result<Response, Problem> {
    let mode = query.mode();
    let path = which.resolve(query.org)?;
    let view = state.service.restore_site(&caller.0, &path, mode, Timestamp::now()).await?;
    Ok(written(&state, view, mode).await)
}

/// A site's releases.
#[utoipa::path(get, path = "", tag = "sites", params(ReadQuery), responses((status = 200, description = "All that are kept, the newest first", body = ListView<ReleaseDto>)))]
pub async fn releases(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<ReadQuery>,
) -> Result<Answer<ListView<ReleaseDto>>, Problem> {
    let releases = state.service.releases(&caller.0, &which.resolve(query.org)?).await?;
    Ok(Answer::ok(ListView { items: releases.into_iter().map(Into::into).collect(), next: None }))
}

/// Serves a release again that served before, at once, over the database as it is; `with_database` also restores the
/// dump that was taken before the schema was changed, and the release is tried with it before it serves.
#[utoipa::path(post, path = "", tag = "sites", params(RollbackQuery), request_body = Option<RollbackDto>, responses((status = 202, description = "Kept; nodes of that release start", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn roll_back(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<RollbackQuery>,
    MaybeBody(RollbackDto { release }): MaybeBody<RollbackDto>,
) -> Result<Response, Problem> {
    let mode = query.mode();
    let path = which.resolve(query.org)?;
    let rollback = Rollback { to: release, with_database: query.with_database };
    let view = state.service.roll_back(&caller.0, &path, rollback, mode, Timestamp::now()).await?;
    Ok(written(&state, view, mode).await)
}

/// Makes a release of what a site's code is now, as when its branch has moved.
#[utoipa::path(post, path = "", tag = "sites", params(WriteQuery), responses((status = 202, description = "Kept; the code is fetched", body = SiteDto), (status = 200, description = "What a dry run found", body = Preview)))]
pub async fn refetch(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<WriteQuery>,
) -> Result<Response, Problem> {
    let mode = query.mode();
    let path = which.resolve(query.org)?;
    let view = state.service.refetch_code(&caller.0, &path, mode, Timestamp::now()).await?;
    Ok(written(&state, view, mode).await)
}
