//! Who asks: an API key, a session or the operator's token as Bearer, or a user name and password as Basic.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use wpaas_core::access::Actor;
use wpaas_core::account::KeyKind;
use wpaas_core::id::KeyId;
use wpaas_core::name::{Cid, Username};
use wpaas_core::secret::Secret;
use wpaas_core::service::{ServiceError, SignedIn};

use crate::problem::Problem;
use crate::rates::Address;
use crate::state::AppState;

/// Who has signed in. A handler that takes it answers 401 to anybody else.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

/// The API key or the session whose text was presented, if it was one.
#[derive(Debug, Clone, Copy)]
pub struct PresentedKey(Option<(KeyId, KeyKind)>);

impl PresentedKey {
    /// Whichever it is.
    pub fn id(self) -> Option<KeyId> {
        self.0.map(|(id, _)| id)
    }

    /// The session, if it is one.
    pub fn session(self) -> Option<KeyId> {
        self.0.and_then(|(id, kind)| (kind == KeyKind::Session).then_some(id))
    }
}

/// Who has signed in, if anybody.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Actor>);

impl Caller {
    /// The customer that the caller belongs to; none for the operator.
    pub const fn cid(&self) -> Option<&Cid> {
        match &self.0 {
            Actor::Operator => None,
            Actor::Customer(cid) | Actor::User { cid, .. } => Some(cid),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PresentedKey {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.get::<Caller>().cloned().map(|Caller(actor)| actor)))
    }
}

/// Checks what the caller presents. Nothing presented goes on as nobody; something wrong ends here.
pub async fn layer(
    State(state): State<AppState>,
    Address(address): Address,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(value) = request.headers().get(AUTHORIZATION) else { return next.run(request).await };
    let presented = Presented::parse(value.to_str().unwrap_or_default());
    let known = match presented {
        Some(presented) => authenticate(&state, address, presented).await,
        None => state.rates.attempt(address).and_then(|()| Err(Problem::unauthenticated())),
    };
    let known = known.and_then(|known| state.rates.request(&known.0).map(|()| known));
    match known {
        Ok((actor, key)) => {
            request.extensions_mut().insert(Caller(actor));
            request.extensions_mut().insert(key);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who it is, and by which key, if it is by one.
async fn authenticate(
    state: &AppState,
    address: IpAddr,
    presented: Presented,
) -> Result<(Actor, PresentedKey), Problem> {
    match presented {
        Presented::Bearer(token) if state.operator.matches(token.expose()) => {
            Ok((Actor::Operator, PresentedKey(None)))
        }
        Presented::Bearer(key) => {
            let known = state.service.authenticate_key(key.expose(), Timestamp::now()).await;
            if matches!(known, Err(ServiceError::Unauthenticated)) {
                state.rates.attempt(address)?;
            }
            let SignedIn { actor, key, kind } = known?;
            Ok((actor, PresentedKey(Some((key, kind)))))
        }
        Presented::Basic { cid, username, password } => {
            let username: Username = username.parse().map_err(|_| Problem::unauthenticated())?;
            let cid: Option<Cid> =
                cid.map(|cid| cid.parse()).transpose().map_err(|_| Problem::unauthenticated())?;
            state.rates.attempt(address)?;
            let (cid, now) = (cid.as_ref(), Timestamp::now());
            let actor = state.service.authenticate_password(cid, &username, &password, now).await?;
            Ok((actor, PresentedKey(None)))
        }
    }
}

/// What a caller presents.
#[derive(Debug)]
enum Presented {
    Bearer(Secret),
    /// `cid/username` is a user of a customer, `username` a customer.
    Basic {
        cid: Option<String>,
        username: String,
        password: Secret,
    },
}

impl Presented {
    fn parse(header: &str) -> Option<Self> {
        let (scheme, value) = header.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(Secret::new(value.trim().to_owned())));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
        let (name, password) = pair.split_once(':')?;
        let password = Secret::new(password.to_owned());
        Some(match name.split_once('/') {
            Some((cid, username)) => {
                Self::Basic { cid: Some(cid.to_owned()), username: username.to_owned(), password }
            }
            None => Self::Basic { cid: None, username: name.to_owned(), password },
        })
    }
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &axum::http::HeaderMap) -> Option<Secret> {
    match Presented::parse(headers.get(AUTHORIZATION)?.to_str().ok()?)? {
        Presented::Bearer(token) => Some(token),
        Presented::Basic { .. } => None,
    }
}
