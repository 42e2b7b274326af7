//! `/sso`: signing in at an identity provider. A browser is sent there, comes back, and ends with a session or with
//! what links the account.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::name::{Cid, Slug};
use wpaas_core::secret::Secret;
use wpaas_core::service::{ByEmail, ExternalAccount, ServiceError};

use crate::answer::Answer;
use crate::dto::list::ListView;
use crate::dto::sso::{CallbackQuery, ProviderView, SignedInView, StartQuery};
use crate::extract::{Path, Query, SecretText};
use crate::problem::Problem;
use crate::rates::Address;
use crate::sso::{Proof, Provider, ProviderError, browser};
use crate::state::AppState;

/// What is remembered of a login while the person is at the provider.
#[derive(Serialize, Deserialize)]
struct Pending {
    provider: Slug,
    cid: Option<Cid>,
    browser: [u8; 32],
    proof: Proof,
}

/// The identity providers that one can sign in with.
#[utoipa::path(get, path = "", tag = "sso", responses((status = 200, description = "All of them", body = ListView<ProviderView>)))]
pub async fn list(State(state): State<AppState>) -> Answer<ListView<ProviderView>> {
    let items = state.sso.providers().map(|(name, provider)| ProviderView::new(name, provider)).collect();
    Answer::ok(ListView { items, next: None })
}

/// Sends a browser to the provider, to sign in there.
#[utoipa::path(get, path = "", tag = "sso", params(StartQuery), responses((status = 303, description = "To the provider")))]
pub async fn start(
    State(state): State<AppState>,
    Address(address): Address,
    Path(name): Path<Slug>,
    Query(query): Query<StartQuery>,
) -> Result<Response, Problem> {
    let provider = state.sso.provider(&name).ok_or_else(Problem::not_found)?;
    state.rates.attempt(address)?;
    let begun = provider.begin().await.map_err(|error| problem(provider, &error))?;
    let (secret, browser) = browser::secret();
    let pending = Pending { provider: name, cid: query.cid, browser, proof: begun.proof };
    let pending = serde_json::to_vec(&pending).map_err(|error| Problem::internal(&error))?;
    state.service.begin_login(&begun.state, &pending, Timestamp::now()).await?;
    let cookie = browser::keep(&begun.state, &secret, public_url(&state));
    let headers = [(LOCATION, begun.url.to_string()), (SET_COOKIE, cookie)];
    Ok(private((StatusCode::SEE_OTHER, text(headers)?).into_response()))
}

/// Where the provider sends the browser back to. An account that is linked to nobody yet gets a ticket instead of a
/// session: `POST /logins` links it with that to whoever has signed in, `POST /customers` registers with it.
#[utoipa::path(get, path = "", tag = "sso", params(CallbackQuery), responses((status = 200, description = "A session, or a ticket", body = SignedInView)))]
pub async fn callback(
    State(state): State<AppState>,
    Address(address): Address,
    Path(name): Path<Slug>,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> Result<Response, Problem> {
    let provider = state.sso.provider(&name).ok_or_else(Problem::not_found)?;
    let CallbackQuery { state: SecretText(returned), code, error, iss } = query;
    let Some(pending) = taken(&state, &name, &returned, &headers).await? else {
        state.rates.attempt(address)?;
        return Err(unknown());
    };
    let account = proven(provider, code, error, iss, pending.proof).await?;
    let view = signed_in(&state, &name, provider, account, pending.cid).await?;
    let cookie = browser::forget(&returned, public_url(&state));
    Ok(private((text([(SET_COOKIE, cookie)])?, Answer::ok(view)).into_response()))
}

/// The login that this browser began at this provider. Whatever becomes of it now, it is used.
async fn taken(
    state: &AppState,
    name: &Slug,
    returned: &Secret,
    headers: &HeaderMap,
) -> Result<Option<Pending>, Problem> {
    let Some(pending) = state.service.take_login(returned, Timestamp::now()).await? else { return Ok(None) };
    let pending: Option<Pending> = serde_json::from_slice(&pending).ok();
    let is_its_own = |pending: &Pending| {
        pending.provider == *name && browser::is_same(headers, returned, &pending.browser, public_url(state))
    };
    Ok(pending.filter(is_its_own))
}

/// Whose account it is, by the provider's own word.
async fn proven(
    provider: &Provider,
    code: Option<SecretText>,
    error: Option<String>,
    iss: Option<String>,
    proof: Proof,
) -> Result<ExternalAccount, Problem> {
    if iss.is_some_and(|iss| iss != provider.settings.issuer) {
        return Err(problem(provider, &ProviderError::Untrusted("the answer is another provider's".into())));
    }
    let code = match (code, error) {
        (_, Some(error)) => return Err(problem(provider, &ProviderError::Refused(error))),
        (None, None) => return Err(Problem::bad_request("invalid_query", "must be given").at("code")),
        (Some(SecretText(code)), None) => code.expose().to_owned(),
    };
    provider.finish(code, proof).await.map_err(|error| problem(provider, &error))
}

async fn signed_in(
    state: &AppState,
    name: &Slug,
    provider: &Provider,
    account: ExternalAccount,
    cid: Option<Cid>,
) -> Result<SignedInView, Problem> {
    let by_email = match (provider.settings.trust_email, cid) {
        (false, _) => ByEmail::Nobody,
        (true, None) => ByEmail::Customers,
        (true, Some(cid)) => ByEmail::UsersOf(cid),
    };
    let means = format!("sso/{name}");
    let signed_in = state.service.sign_in_externally(&account, &by_email, &means, Timestamp::now()).await;
    match signed_in {
        Ok(signed_in) => Ok(SignedInView::new(name, account, signed_in)),
        // No browser is to ask for a password now.
        Err(ServiceError::Unauthenticated) => {
            let detail = "whom this account is linked to may not sign in any more";
            Err(Problem::new(StatusCode::FORBIDDEN, "sso_disabled", detail))
        }
        Err(error) => Err(error.into()),
    }
}

fn unknown() -> Problem {
    let detail = "this sign-in took too long, was used already, or began in another browser: start again";
    Problem::bad_request("sso_unknown", detail)
}

/// The operator is told why, the caller what to do.
fn problem(provider: &Provider, error: &ProviderError) -> Problem {
    let title = &provider.settings.title;
    tracing::warn!(
        issuer = provider.settings.issuer,
        error = crate::problem::chain(error),
        "no single sign-on"
    );
    match error {
        ProviderError::Unavailable(_) => {
            let detail = format!("{title} can't be reached now: try again, or sign in by other means");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "sso_unavailable", detail).retry_after(5)
        }
        ProviderError::Refused(_) => {
            let detail = format!("{title} did not let you in: start again, or sign in by other means");
            Problem::new(StatusCode::FORBIDDEN, "sso_refused", detail)
        }
        ProviderError::Untrusted(_) => {
            let detail =
                format!("what {title} answered can't be trusted; the operator finds the reason in the log");
            Problem::new(StatusCode::BAD_GATEWAY, "sso_untrusted", detail)
        }
    }
}

fn public_url(state: &AppState) -> &str {
    state.settings.public_url.as_deref().unwrap_or_default()
}

fn text<const N: usize>(headers: [(HeaderName, String); N]) -> Result<HeaderMap, Problem> {
    let header = |(name, value): (HeaderName, String)| {
        HeaderValue::from_str(&value).map(|value| (name, value)).map_err(|error| Problem::internal(&error))
    };
    headers.into_iter().map(header).collect()
}

/// Neither kept anywhere, nor told to the next page.
fn private(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
