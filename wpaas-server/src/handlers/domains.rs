//! `…/{name}/domains`: the domains that a site asks for.

use axum::extract::State;
use wpaas_core::service::SiteView;

use super::sites::Which;
use crate::answer::Answer;
use crate::auth::Caller;
use crate::dto::domain::DomainDto;
use crate::dto::list::ListView;
use crate::dto::site_query::ReadQuery;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::state::AppState;

/// The domains that a site asks for, how far it has them, and what can be set in DNS.
#[utoipa::path(get, path = "", tag = "sites", params(ReadQuery), responses((status = 200, description = "All of them, in the order of the site's spec", body = ListView<DomainDto>)))]
pub async fn domains(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<ReadQuery>,
) -> Result<Answer<ListView<DomainDto>>, Problem> {
    let view = state.service.site(&caller.0, &which.resolve(query.org)?).await?;
    Ok(listed(view))
}

/// Looks at DNS now for each domain that a site asks for, and keeps what it finds.
#[utoipa::path(post, path = "", tag = "sites", params(ReadQuery), responses((status = 200, description = "All of them, as they are found", body = ListView<DomainDto>)))]
pub async fn check_domains(
    State(state): State<AppState>,
    caller: Caller,
    Path(which): Path<Which>,
    Query(query): Query<ReadQuery>,
) -> Result<Answer<ListView<DomainDto>>, Problem> {
    let path = which.resolve(query.org)?;
    let claims = state.service.claims_to_check(&caller.0, &path).await?;
    state.domains.check(claims).await?;
    Ok(listed(state.service.site(&caller.0, &path).await?))
}

fn listed(view: SiteView) -> Answer<ListView<DomainDto>> {
    Answer::ok(ListView { items: view.domains.into_iter().map(Into::into).collect(), next: None })
}
