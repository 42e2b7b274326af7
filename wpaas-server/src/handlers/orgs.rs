//! `/orgs`, with the aliases `/org` and `/projects`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::account::Org;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::service::{Listed, OrgUpdate, Recursion};

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::{ListView, page};
use crate::dto::org::{NewOrgDto, OrgQuery, OrgUpdateDto, OrgView};
use crate::dto::space::RecursiveQuery;
use crate::extract::{Body, Expected, IfMatch, Path, Query, agree};
use crate::problem::Problem;
use crate::state::AppState;

type Shown = Result<Answer<OrgView>, Problem>;
type Orgs = Result<Answer<ListView<OrgView>>, Problem>;

fn shown(org: Org) -> Answer<OrgView> {
    let version = org.version;
    Answer::ok(org.into()).version(version)
}

/// Makes an org.
#[utoipa::path(post, path = "", tag = "orgs", request_body = NewOrgDto, responses((status = 201, description = "Made", body = OrgView)))]
pub async fn create(State(state): State<AppState>, caller: Caller, Body(dto): Body<NewOrgDto>) -> Shown {
    let new = dto.into_new(caller.cid()).ok_or_else(|| Problem::field("cid", "must be given"))?;
    let org = state.service.create_org(&caller.0, new, Timestamp::now()).await?;
    let (version, place) = (org.version, format!("/orgs/{}/{}", org.cid, org.name));
    Ok(Answer::created(org.into(), place).version(version))
}

/// The orgs of the customer that the query names, else the caller's.
#[utoipa::path(get, path = "", tag = "orgs", params(OrgQuery), responses((status = 200, description = "A page of orgs", body = ListView<OrgView>)))]
pub async fn list(State(state): State<AppState>, caller: Caller, Query(query): Query<OrgQuery>) -> Orgs {
    let cid = query.cid.clone().or_else(|| caller.cid().cloned());
    let cid = cid.ok_or_else(|| Problem::bad_request("invalid_query", "say which customer").at("cid"))?;
    orgs(&state, &caller, cid, query).await
}

/// A customer's orgs.
#[utoipa::path(get, path = "", tag = "orgs", params(OrgQuery), responses((status = 200, description = "A page of orgs", body = ListView<OrgView>)))]
pub async fn list_of(
    State(state): State<AppState>,
    caller: Caller,
    Path(cid): Path<Cid>,
    Query(query): Query<OrgQuery>,
) -> Orgs {
    let cid = agree("cid", cid, query.cid.clone())?;
    orgs(&state, &caller, cid, query).await
}

async fn orgs(state: &AppState, caller: &Caller, cid: Cid, query: OrgQuery) -> Orgs {
    let now = Timestamp::now();
    let listed = match query.name {
        Some(name) => {
            let org = state.service.org_by_name(&caller.0, &cid, &name, now).await?;
            Listed { items: vec![org], next: None }
        }
        None => state.service.orgs(&caller.0, &cid, page(query.cursor, query.limit), now).await?,
    };
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// One org.
#[utoipa::path(get, path = "", tag = "orgs", responses((status = 200, description = "The org", body = OrgView)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, name)): Path<(Cid, Slug)>,
) -> Shown {
    Ok(shown(state.service.org_by_name(&caller.0, &cid, &name, Timestamp::now()).await?))
}

/// Changes the org that the path names.
#[utoipa::path(put, path = "", tag = "orgs", params(IfMatch), request_body = OrgUpdateDto, responses((status = 200, description = "As it is now", body = OrgView)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, name)): Path<(Cid, Slug)>,
    Expected(if_match): Expected,
    Body(mut dto): Body<OrgUpdateDto>,
) -> Shown {
    let cid = agree("cid", cid, dto.cid.take())?;
    let name = agree("name", name, dto.name.take())?;
    let update = OrgUpdate::from(dto);
    Ok(shown(state.service.update_org(&caller.0, &cid, &name, update, if_match, Timestamp::now()).await?))
}

/// Changes the org that the body names.
#[utoipa::path(put, path = "", tag = "orgs", params(IfMatch), request_body = OrgUpdateDto, responses((status = 200, description = "As it is now", body = OrgView)))]
pub async fn update_named(
    State(state): State<AppState>,
    caller: Caller,
    Expected(if_match): Expected,
    Body(mut dto): Body<OrgUpdateDto>,
) -> Shown {
    let cid = dto.cid.take().or_else(|| caller.cid().cloned());
    let cid = cid.ok_or_else(|| Problem::field("cid", "must be given"))?;
    let name = dto.name.take().ok_or_else(|| Problem::field("name", "must be given"))?;
    let update = OrgUpdate::from(dto);
    Ok(shown(state.service.update_org(&caller.0, &cid, &name, update, if_match, Timestamp::now()).await?))
}

/// Deletes an org.
#[utoipa::path(delete, path = "", tag = "orgs", params(RecursiveQuery, IfMatch), responses((status = 204, description = "Gone"), (status = 202, description = "Going, with all inside")))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, name)): Path<(Cid, Slug)>,
    Query(query): Query<RecursiveQuery>,
    Expected(if_match): Expected,
) -> Result<StatusCode, Problem> {
    let recursion = Recursion::from(query);
    state.service.delete_org(&caller.0, &cid, &name, recursion, if_match, Timestamp::now()).await?;
    Ok(gone(recursion))
}

/// What is inside may take a while to go.
pub const fn gone(recursion: Recursion) -> StatusCode {
    match recursion {
        Recursion::OnlyEmpty => StatusCode::NO_CONTENT,
        Recursion::Recursive => StatusCode::ACCEPTED,
    }
}
