//! `/reports`: nodes tell what only they know.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use wpaas_core::converge::{Part, PartKey};
use wpaas_core::id::SiteId;

use crate::auth::bearer;
use crate::dto::report::ReportDto;
use crate::extract::{Body, Path};
use crate::problem::Problem;
use crate::state::AppState;

/// Who reports, after its token was checked.
#[derive(Debug)]
pub struct Node(PartKey);

impl axum::extract::FromRequestParts<AppState> for Node {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &AppState,
    ) -> Result<Self, Problem> {
        let Path((site, part)) = Path::<(SiteId, Part)>::from_request_parts(parts, state).await?;
        if is_known(state, &parts.headers, site, part) {
            Ok(Self(PartKey { site, part }))
        } else {
            Err(Problem::unauthenticated())
        }
    }
}

fn is_known(state: &AppState, headers: &HeaderMap, site: SiteId, part: Part) -> bool {
    bearer(headers).is_some_and(|token| state.service.verify_report_token(site, part, token.expose()))
}

/// Passes a report on to the converger. The token is checked before the body is read.
pub async fn report(
    State(state): State<AppState>,
    Node(of): Node,
    Body(dto): Body<ReportDto>,
) -> Result<StatusCode, Problem> {
    let load = dto.load();
    state.converger.report(dto.into_report(of)?);
    state.loads.saw(of.site, of.part, load, Timestamp::now());
    Ok(StatusCode::NO_CONTENT)
}
