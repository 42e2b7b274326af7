//! `/spaces`.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use wpaas_core::account::Space;
use wpaas_core::id::{OrgId, SpaceId};
use wpaas_core::name::{Cid, Slug};
use wpaas_core::service::{Listed, Page, Recursion, ServiceError};

use super::orgs::gone;
use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::{ListView, page};
use crate::dto::space::{NewSpaceDto, OrgOrCustomer, RecursiveQuery, SpaceQuery, SpaceUpdateDto, SpaceView};
use crate::extract::{Body, Expected, IfMatch, Path, Query, agree};
use crate::problem::Problem;
use crate::state::AppState;

type Shown = Result<Answer<SpaceView>, Problem>;
type Spaces = Result<Answer<ListView<SpaceView>>, Problem>;

fn shown(space: Space) -> Answer<SpaceView> {
    let version = space.version;
    Answer::ok(space.into()).version(version)
}

/// Makes a space.
#[utoipa::path(post, path = "", tag = "spaces", request_body = NewSpaceDto, responses((status = 201, description = "Made", body = SpaceView)))]
pub async fn create(State(state): State<AppState>, caller: Caller, Body(dto): Body<NewSpaceDto>) -> Shown {
    let space = state.service.create_space(&caller.0, dto.into(), Timestamp::now()).await?;
    let (version, place) = (space.version, format!("/spaces/{}/{}", space.org, space.name));
    Ok(Answer::created(space.into(), place).version(version))
}

/// The spaces of the org or the customer that the query names, else the caller's.
#[utoipa::path(get, path = "", tag = "spaces", params(SpaceQuery), responses((status = 200, description = "A page of spaces", body = ListView<SpaceView>)))]
pub async fn list(State(state): State<AppState>, caller: Caller, Query(query): Query<SpaceQuery>) -> Spaces {
    let own = || query.cid.clone().or_else(|| caller.cid().cloned()).map(OrgOrCustomer::Customer);
    let place = query.org_id.map(OrgOrCustomer::Org).or_else(own);
    let missing = || Problem::bad_request("invalid_query", "say which customer or which org").at("cid");
    spaces(&state, &caller, place.ok_or_else(missing)?, query).await
}

/// The spaces of an org or of a customer.
#[utoipa::path(get, path = "", tag = "spaces", params(SpaceQuery), responses((status = 200, description = "A page of spaces", body = ListView<SpaceView>)))]
pub async fn list_of(
    State(state): State<AppState>,
    caller: Caller,
    Path(place): Path<OrgOrCustomer>,
    Query(query): Query<SpaceQuery>,
) -> Spaces {
    let fits = |org| matches!(&place, OrgOrCustomer::Org(named) if *named == org);
    if !query.org_id.is_none_or(fits) {
        let detail = "the path says already whose spaces: leave it out, or ask for `/spaces?org_id=…`";
        return Err(Problem::bad_request("path_query_mismatch", detail).at("org_id"));
    }
    let other = |cid: &Cid| matches!(&place, OrgOrCustomer::Customer(named) if named != cid);
    if query.cid.as_ref().is_some_and(other) {
        return Err(Problem::bad_request("path_query_mismatch", "the path names another customer").at("cid"));
    }
    spaces(&state, &caller, place, query).await
}

async fn spaces(state: &AppState, caller: &Caller, place: OrgOrCustomer, query: SpaceQuery) -> Spaces {
    let now = Timestamp::now();
    let page = page(query.cursor, query.limit);
    let mut listed = match (place, query.name) {
        (OrgOrCustomer::Org(org), Some(name)) => {
            let space = state.service.space_by_name(&caller.0, org, &name, now).await?;
            Listed { items: vec![space], next: None }
        }
        (OrgOrCustomer::Org(org), None) => state.service.spaces_of_org(&caller.0, org, page, now).await?,
        (OrgOrCustomer::Customer(cid), Some(name)) => named(state, caller, &cid, &name, now).await?,
        (OrgOrCustomer::Customer(cid), None) => {
            state.service.spaces_of_customer(&caller.0, &cid, page, now).await?
        }
    };
    listed.items.retain(|space| query.cid.as_ref().is_none_or(|cid| space.cid == *cid));
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// A customer's spaces of this name, one an org at most.
async fn named(
    state: &AppState,
    caller: &Caller,
    cid: &Cid,
    name: &Slug,
    now: Timestamp,
) -> Result<Listed<Space, SpaceId>, ServiceError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit: 500 };
        let listed = state.service.spaces_of_customer(&caller.0, cid, page, now).await?;
        found.extend(listed.items.into_iter().filter(|space| space.name == *name));
        if listed.next.is_none() {
            return Ok(Listed { items: found, next: None });
        }
        after = listed.next;
    }
}

/// One space.
#[utoipa::path(get, path = "", tag = "spaces", responses((status = 200, description = "The space", body = SpaceView)))]
pub async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path((place, name)): Path<(OrgOrCustomer, Slug)>,
) -> Shown {
    let now = Timestamp::now();
    let org = org_at(&state, &caller, &place, now).await?;
    Ok(shown(state.service.space_by_name(&caller.0, org, &name, now).await?))
}

/// The org that is meant. A customer's default org may not be stored yet: that comes first.
async fn org_at(
    state: &AppState,
    caller: &Caller,
    place: &OrgOrCustomer,
    now: Timestamp,
) -> Result<OrgId, ServiceError> {
    if let OrgOrCustomer::Customer(cid) = place {
        state.service.org_by_name(&caller.0, cid, &Slug::default_name(), now).await?;
    }
    Ok(place.org())
}

/// Changes a space.
#[utoipa::path(put, path = "", tag = "spaces", params(IfMatch), request_body = SpaceUpdateDto, responses((status = 200, description = "As it is now", body = SpaceView)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path((place, name)): Path<(OrgOrCustomer, Slug)>,
    Expected(if_match): Expected,
    Body(mut dto): Body<SpaceUpdateDto>,
) -> Shown {
    let org = agree("org_id", place.org(), dto.org_id.take())?;
    let name = agree("name", name, dto.name.take())?;
    let now = Timestamp::now();
    org_at(&state, &caller, &place, now).await?;
    Ok(shown(state.service.update_space(&caller.0, org, &name, dto.into(), if_match, now).await?))
}

/// Deletes a space.
#[utoipa::path(delete, path = "", tag = "spaces", params(RecursiveQuery, IfMatch), responses((status = 204, description = "Gone"), (status = 202, description = "Going, with all inside")))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path((place, name)): Path<(OrgOrCustomer, Slug)>,
    Query(query): Query<RecursiveQuery>,
    Expected(if_match): Expected,
) -> Result<StatusCode, Problem> {
    let recursion = Recursion::from(query);
    let now = Timestamp::now();
    let org = org_at(&state, &caller, &place, now).await?;
    state.service.delete_space(&caller.0, org, &name, recursion, if_match, now).await?;
    Ok(gone(recursion))
}
