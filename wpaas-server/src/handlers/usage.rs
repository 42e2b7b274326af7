//! `/usage` and `/orgs/{cid}/{org}/usage`: what is billed.

use axum::extract::State;
use jiff::Timestamp;
use wpaas_core::metering::UsageFilter;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::store::Page;

use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::list::{ListView, page};
use crate::dto::usage::{UsageQuery, UsageSumsView, UsageView};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::state::AppState;

type Records = Result<Answer<ListView<UsageView>>, Problem>;
type Sums = Result<Answer<UsageSumsView>, Problem>;

/// The records of the org or the customer that the query names, else of the caller's customer, or all.
#[utoipa::path(get, path = "", tag = "usage", params(UsageQuery), responses((status = 200, description = "A page of records", body = ListView<UsageView>)))]
pub async fn list(State(state): State<AppState>, caller: Caller, Query(query): Query<UsageQuery>) -> Records {
    let filter = query.filter(caller.cid())?;
    records(&state, &caller, &filter, query).await
}

/// An org's records.
#[utoipa::path(get, path = "", tag = "usage", params(UsageQuery), responses((status = 200, description = "A page of records", body = ListView<UsageView>)))]
pub async fn list_of(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, name)): Path<(Cid, Slug)>,
    Query(query): Query<UsageQuery>,
) -> Records {
    let org = state.service.org_by_name(&caller.0, &cid, &name, Timestamp::now()).await?;
    let filter = query.filter_in(&cid, org.id)?;
    records(&state, &caller, &filter, query).await
}

async fn records(state: &AppState, caller: &Caller, filter: &UsageFilter, query: UsageQuery) -> Records {
    let Page { after, limit } = page(query.cursor, query.limit);
    let listed = state.service.usage_records(&caller.0, filter, after.unwrap_or(0), limit).await?;
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// The sums over the same records.
#[utoipa::path(get, path = "", tag = "usage", params(UsageQuery), responses((status = 200, description = "The sums", body = UsageSumsView)))]
pub async fn sums(State(state): State<AppState>, caller: Caller, Query(query): Query<UsageQuery>) -> Sums {
    summed(&state, &caller, &query.filter(caller.cid())?).await
}

/// The sums over an org's records.
#[utoipa::path(get, path = "", tag = "usage", params(UsageQuery), responses((status = 200, description = "The sums", body = UsageSumsView)))]
pub async fn sums_of(
    State(state): State<AppState>,
    caller: Caller,
    Path((cid, name)): Path<(Cid, Slug)>,
    Query(query): Query<UsageQuery>,
) -> Sums {
    let org = state.service.org_by_name(&caller.0, &cid, &name, Timestamp::now()).await?;
    summed(&state, &caller, &query.filter_in(&cid, org.id)?).await
}

async fn summed(state: &AppState, caller: &Caller, filter: &UsageFilter) -> Sums {
    let sums = state.service.usage_sums(&caller.0, filter).await?;
    Ok(Answer::ok(UsageSumsView { items: sums.into_iter().map(Into::into).collect() }))
}
