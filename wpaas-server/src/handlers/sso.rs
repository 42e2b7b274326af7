//! `/sso`: signing in at an identity provider. A browser is sent there, comes back, and ends with a session or with
//! what links the account.

use std::net::IpAddr;
use std::num::NonZeroU16;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wpaas_core::credential::random_text;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::secret::Secret;
use wpaas_core::service::{ByEmail, ExternalAccount, ServiceError};

use crate::answer::Answer;
use crate::dto::list::ListView;
use crate::dto::sso::{CallbackQuery, FinishDto, ProviderView, SignedInView, StartQuery};
use crate::extract::{Body, Path, Query, SecretText};
use crate::problem::Problem;
use crate::rates::Address;
use crate::sso::{Proof, Provider, ProviderError, browser, page};
use crate::state::AppState;

/// What is remembered of a login.
#[derive(Serialize, Deserialize)]
enum Remembered {
    /// While the person is at the provider.
    Pending(Pending),
    /// Until the program asks that the person signs in to.
    Proven(Proven),
}

#[derive(Serialize, Deserialize)]
struct Pending {
    provider: Slug,
    cid: Option<Cid>,
    browser: [u8; 32],
    proof: Proof,
    program: Option<Program>,
}

/// A program on the person's own machine, which gets what the browser would.
#[derive(Serialize, Deserialize)]
struct Program {
    port: NonZeroU16,
    challenge: String,
}

#[derive(Serialize, Deserialize)]
struct Proven {
    provider: Slug,
    cid: Option<Cid>,
    account: ExternalAccount,
    challenge: String,
}

/// The identity providers that one can sign in with.
#[utoipa::path(get, path = "", tag = "sso", responses((status = 200, description = "All of them", body = ListView<ProviderView>)))]
pub async fn list(State(state): State<AppState>) -> Answer<ListView<ProviderView>> {
    let view = |(name, provider)| ProviderView::new(name, provider, public_url(&state));
    let items = state.sso.providers().map(view).collect();
    Answer::ok(ListView { items, next: None })
}

/// Sends a browser to the provider, to sign in there.
#[utoipa::path(get, path = "", tag = "sso", params(StartQuery), responses((status = 303, description = "To the provider")))]
pub async fn start(
    State(state): State<AppState>,
    Address(address): Address,
    Path(name): Path<Slug>,
    headers: HeaderMap,
    Query(query): Query<StartQuery>,
) -> Response {
    began(&state, address, name, query).await.unwrap_or_else(|problem| refused(&headers, problem))
}

async fn began(
    state: &AppState,
    address: IpAddr,
    name: Slug,
    query: StartQuery,
) -> Result<Response, Problem> {
    let provider = state.sso.provider(&name).ok_or_else(Problem::not_found)?;
    state.rates.attempt(address)?;
    let StartQuery { cid, loopback, challenge } = query;
    let program = program(loopback, challenge)?;
    let begun = provider.begin().await.map_err(|error| problem(provider, &error))?;
    let (secret, browser) = browser::secret();
    let pending = Pending { provider: name, cid, browser, proof: begun.proof, program };
    remember(state, &begun.state, &Remembered::Pending(pending)).await?;
    let cookie = browser::keep(&begun.state, &secret, public_url(state));
    let headers = [(LOCATION, begun.url.to_string()), (SET_COOKIE, cookie)];
    Ok(private((StatusCode::SEE_OTHER, text(headers)?).into_response()))
}

/// Where the provider sends the browser back to. An account that is linked to nobody yet gets a ticket instead of a
/// session: `POST /logins` links it with that to whoever has signed in, `POST /customers` registers with it. A browser
/// is shown a page.
#[utoipa::path(get, path = "", tag = "sso", params(CallbackQuery), responses((status = 200, description = "A session, or a ticket", content((SignedInView = "application/json"), (String = "text/html"))), (status = 303, description = "To the program that the person signs in to")))]
pub async fn callback(
    State(state): State<AppState>,
    Address(address): Address,
    Path(name): Path<Slug>,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> Response {
    let answer = came_back(&state, address, name, &headers, query).await;
    answer.unwrap_or_else(|problem| refused(&headers, problem))
}

async fn came_back(
    state: &AppState,
    address: IpAddr,
    name: Slug,
    headers: &HeaderMap,
    query: CallbackQuery,
) -> Result<Response, Problem> {
    let provider = state.sso.provider(&name).ok_or_else(Problem::not_found)?;
    let CallbackQuery { state: SecretText(returned), code, error, iss } = query;
    let Some(pending) = taken(state, &name, &returned, headers).await? else {
        state.rates.attempt(address)?;
        return Err(unknown());
    };
    let Pending { proof, cid, program, .. } = pending;
    let account = proven(provider, code, error, iss, proof).await?;
    let forget = text([(SET_COOKIE, browser::forget(&returned, public_url(state)))])?;
    let Some(Program { port, challenge }) = program else {
        let view = signed_in(state, &name, account, cid).await?;
        let answer = if page::is_wanted(headers) {
            page::signed_in(&provider.settings.title, &view, public_url(state))
        } else {
            Answer::ok(view).into_response()
        };
        return Ok(private((forget, answer).into_response()));
    };
    let code = random_text(43);
    let proven = Proven { provider: name, cid, account, challenge };
    remember(state, &code, &Remembered::Proven(proven)).await?;
    let to_program = text([(LOCATION, format!("http://127.0.0.1:{port}/?code={}", code.expose()))])?;
    Ok(private((StatusCode::SEE_OTHER, forget, to_program).into_response()))
}

/// Ends a login for the program that began it with a `challenge`: the code came to it with the browser, the verifier
/// it has kept to itself.
#[utoipa::path(post, path = "", tag = "sso", request_body = FinishDto, responses((status = 200, description = "A session, or a ticket", body = SignedInView)))]
pub async fn finish(
    State(state): State<AppState>,
    Address(address): Address,
    Body(dto): Body<FinishDto>,
) -> Result<Response, Problem> {
    let FinishDto { code: SecretText(code), verifier: SecretText(verifier) } = dto;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
    match remembered(&state, &code).await? {
        Some(Remembered::Proven(proven)) if proven.challenge == challenge => {
            let view = signed_in(&state, &proven.provider, proven.account, proven.cid).await?;
            Ok(private(Answer::ok(view).into_response()))
        }
        _ => {
            state.rates.attempt(address)?;
            Err(unknown())
        }
    }
}

fn program(loopback: Option<NonZeroU16>, challenge: Option<String>) -> Result<Option<Program>, Problem> {
    match (loopback, challenge) {
        (None, None) => Ok(None),
        (Some(port), Some(challenge)) if challenge.len() == 43 => Ok(Some(Program { port, challenge })),
        _ => {
            let detail = "must be the SHA-256 of the verifier in base64url, with a port as `loopback`";
            Err(Problem::bad_request("invalid_query", detail).at("challenge"))
        }
    }
}

/// Under what comes back, whatever that is called; only who brings it has it again, once.
async fn remember(state: &AppState, under: &Secret, what: &Remembered) -> Result<(), Problem> {
    let what = serde_json::to_vec(what).map_err(|error| Problem::internal(&error))?;
    Ok(state.service.begin_login(under, &what, Timestamp::now()).await?)
}

async fn remembered(state: &AppState, under: &Secret) -> Result<Option<Remembered>, Problem> {
    let found = state.service.take_login(under, Timestamp::now()).await?;
    Ok(found.and_then(|found| serde_json::from_slice(&found).ok()))
}

/// The login that this browser began at this provider. Whatever becomes of it now, it is used.
async fn taken(
    state: &AppState,
    name: &Slug,
    returned: &Secret,
    headers: &HeaderMap,
) -> Result<Option<Pending>, Problem> {
    let Some(Remembered::Pending(pending)) = remembered(state, returned).await? else { return Ok(None) };
    let is_its_own = |pending: &Pending| {
        pending.provider == *name && browser::is_same(headers, returned, &pending.browser, public_url(state))
    };
    Ok(Some(pending).filter(is_its_own))
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
    account: ExternalAccount,
    cid: Option<Cid>,
) -> Result<SignedInView, Problem> {
    let trusted = state.sso.provider(name).is_some_and(|provider| provider.settings.trust_email);
    let by_email = match (trusted, cid) {
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

/// As whoever asks reads it.
fn refused(headers: &HeaderMap, problem: Problem) -> Response {
    private(if page::is_wanted(headers) { page::failed(&problem) } else { problem.into_response() })
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
