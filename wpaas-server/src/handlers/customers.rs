//! `/customers`.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use wpaas_core::account::Customer;
use wpaas_core::name::Cid;
use wpaas_core::service::Grace;

use crate::answer::Answer;
use crate::auth::{Caller, MaybeCaller};
use crate::config::Period;
use crate::dto::customer::{CustomerUpdateDto, CustomerView, NewCustomerDto};
use crate::dto::list::{ListView, PageQuery};
use crate::dto::schema;
use crate::extract::{Body, Expected, IfMatch, Path, Query, agree};
use crate::problem::Problem;
use crate::rates::Address;
use crate::state::AppState;

type Shown = Result<Answer<CustomerView>, Problem>;

fn shown(customer: Customer) -> Answer<CustomerView> {
    let version = customer.version;
    Answer::ok(customer.into()).version(version)
}

/// Registers a customer; anyone may where registration is open. A `ticket` of a login at an identity provider lets
/// that account sign it in.
#[utoipa::path(post, path = "", tag = "customers", request_body = NewCustomerDto, responses((status = 201, description = "Registered", body = CustomerView)))]
pub async fn register(
    State(state): State<AppState>,
    MaybeCaller(actor): MaybeCaller,
    Address(address): Address,
    Body(dto): Body<NewCustomerDto>,
) -> Shown {
    if actor.is_none() && !state.registration_is_open() {
        return Err(Problem::unauthenticated());
    }
    if actor.is_none() {
        state.rates.attempt(address)?;
    }
    let now = Timestamp::now();
    let new = dto.into_new(|ticket| state.service.open_ticket(ticket, now))?;
    let customer = state.service.register_customer(actor.as_ref(), new, now).await?;
    let (version, place) = (customer.version, format!("/customers/{}", customer.cid));
    Ok(Answer::created(customer.into(), place).version(version))
}

/// All customers, for the operator.
#[utoipa::path(get, path = "", tag = "customers", params(PageQuery<Cid>), responses((status = 200, description = "A page of customers", body = ListView<CustomerView>)))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<PageQuery<Cid>>,
) -> Result<Answer<ListView<CustomerView>>, Problem> {
    let page = query.page();
    let listed = state.service.customers(&caller.0, page).await?;
    Ok(Answer::ok(ListView::new(listed, Into::into)))
}

/// One customer.
#[utoipa::path(get, path = "", tag = "customers", responses((status = 200, description = "The customer", body = CustomerView)))]
pub async fn get(State(state): State<AppState>, caller: Caller, Path(cid): Path<Cid>) -> Shown {
    Ok(shown(state.service.customer(&caller.0, &cid).await?))
}

/// Changes a customer.
#[utoipa::path(put, path = "", tag = "customers", params(IfMatch), request_body = CustomerUpdateDto, responses((status = 200, description = "As it is now", body = CustomerView)))]
pub async fn update(
    State(state): State<AppState>,
    caller: Caller,
    Path(cid): Path<Cid>,
    Expected(if_match): Expected,
    Body(mut dto): Body<CustomerUpdateDto>,
) -> Shown {
    let (cid, now) = (agree("cid", cid, dto.cid.take())?, Timestamp::now());
    Ok(shown(state.service.update_customer(&caller.0, &cid, dto.into(), if_match, now).await?))
}

/// What the query of a deletion may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// How long it can be taken back; the operator's setting without.
    #[param(value_type = Option<schema::Grace>)]
    grace: Option<Period>,
}

/// Marks a customer as to be removed.
#[utoipa::path(delete, path = "", tag = "customers", params(DeleteQuery, IfMatch), responses((status = 202, description = "To be removed after its grace", body = CustomerView)))]
pub async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(cid): Path<Cid>,
    Query(query): Query<DeleteQuery>,
    Expected(if_match): Expected,
) -> Shown {
    let grace = query.grace.map_or(Grace::Default, |grace| Grace::Of(grace.as_signed()));
    let customer = state.service.delete_customer(&caller.0, &cid, grace, if_match, Timestamp::now()).await?;
    let version = customer.version;
    Ok(Answer::accepted(customer.into()).version(version))
}

/// Takes a deletion back.
#[utoipa::path(post, path = "", tag = "customers", responses((status = 200, description = "As it is now", body = CustomerView)))]
pub async fn restore(State(state): State<AppState>, caller: Caller, Path(cid): Path<Cid>) -> Shown {
    Ok(shown(state.service.cancel_customer_deletion(&caller.0, &cid, Timestamp::now()).await?))
}

/// Lets a customer only read.
#[utoipa::path(post, path = "", tag = "customers", responses((status = 200, description = "As it is now", body = CustomerView)))]
pub async fn suspend(State(state): State<AppState>, caller: Caller, Path(cid): Path<Cid>) -> Shown {
    Ok(shown(state.service.suspend_customer(&caller.0, &cid, Timestamp::now()).await?))
}

/// Ends a suspension.
#[utoipa::path(post, path = "", tag = "customers", responses((status = 200, description = "As it is now", body = CustomerView)))]
pub async fn resume(State(state): State<AppState>, caller: Caller, Path(cid): Path<Cid>) -> Shown {
    Ok(shown(state.service.resume_customer(&caller.0, &cid, Timestamp::now()).await?))
}
