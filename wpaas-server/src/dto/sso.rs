//! Single sign-on: providers, what a login ends with, and linked accounts.

use std::num::NonZeroU16;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::account::ExternalLogin;
use wpaas_core::id::LoginId;
use wpaas_core::name::{Cid, Email, Slug};
use wpaas_core::service::{ExternalAccount, ExternalSignIn, Ticket};

use super::schema;
use super::session::NewSessionView;
use crate::extract::SecretText;
use crate::sso::{Provider, Sso};

/// An identity provider that one can sign in with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProviderView {
    /// What the API calls it.
    pub name: Slug,
    /// What people call it.
    pub title: String,
    /// The URL that it calls itself.
    pub issuer: String,
    /// Where a browser goes to sign in with it, at the address that the provider sends it back to.
    pub start: String,
}

impl ProviderView {
    /// As configured.
    pub fn new(name: &Slug, provider: &Provider, public_url: &str) -> Self {
        let (title, issuer) = (provider.settings.title.clone(), provider.settings.issuer.clone());
        Self { name: name.clone(), title, issuer, start: format!("{public_url}/sso/{name}/start") }
    }
}

/// `GET /sso/{provider}/start`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StartQuery {
    /// The customer of a user who signs in for the first time and was invited by e-mail address; left out, a customer
    /// itself.
    pub cid: Option<Cid>,
    /// The port on 127.0.0.1 at which a program on the person's own machine waits for the browser, instead of the
    /// browser showing what it ends with.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 65535)]
    pub loopback: Option<NonZeroU16>,
    /// The SHA-256, in base64url, of what that program proves itself with at `POST /sso/finish`.
    #[param(pattern = "^[A-Za-z0-9_-]{43}$")]
    pub challenge: Option<String>,
}

/// `GET /sso/{provider}/callback`: what the provider adds. It may add more.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// Of the login that began.
    #[param(value_type = String, min_length = 1, max_length = 512)]
    pub state: SecretText,
    /// What the provider tells whose account it is for.
    #[param(value_type = Option<String>, min_length = 1, max_length = 8192)]
    pub code: Option<SecretText>,
    /// Why there is no code.
    #[param(max_length = 1024)]
    pub error: Option<String>,
    /// Which provider answers.
    #[param(max_length = 2048)]
    pub iss: Option<String>,
}

/// `POST /sso/finish`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishDto {
    /// What the browser brought.
    #[schema(value_type = String, min_length = 1, max_length = 512, write_only)]
    pub code: SecretText,
    /// What the challenge is the SHA-256 of.
    #[schema(value_type = String, min_length = 43, max_length = 128, write_only)]
    pub verifier: SecretText,
}

/// An account at a provider.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AccountView {
    /// What the API calls the provider.
    pub provider: Slug,
    /// The URL that the provider calls itself.
    pub issuer: String,
    /// What people know the account by.
    pub account: String,
    /// Its e-mail address, if the provider says that it has proof of it.
    pub verified_email: Option<Email>,
}

/// What a login at a provider ends with: either a session or a ticket.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignedInView {
    /// The account that has proved itself.
    #[serde(flatten)]
    pub account: AccountView,
    /// The session of whom the account is linked to.
    pub session: Option<NewSessionView>,
    /// The account is linked to nobody: what to link it with.
    pub ticket: Option<TicketView>,
}

/// What links an account, for a quarter of an hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TicketView {
    /// What to send as `ticket` to `POST /logins` or `POST /customers`.
    pub ticket: String,
    /// From when on it links nothing.
    pub expires_at: Timestamp,
}

impl SignedInView {
    /// As the service says.
    pub fn new(provider: &Slug, account: ExternalAccount, signed_in: ExternalSignIn) -> Self {
        let ExternalAccount { issuer, subject: _, label, verified_email } = account;
        let account = AccountView { provider: provider.clone(), issuer, account: label, verified_email };
        match signed_in {
            ExternalSignIn::Session(session) => {
                Self { account, session: Some((*session).into()), ticket: None }
            }
            ExternalSignIn::Unknown(Ticket { text, expires_at }) => {
                let ticket = TicketView { ticket: text.expose().to_owned(), expires_at };
                Self { account, session: None, ticket: Some(ticket) }
            }
        }
    }
}

/// `POST /logins`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDto {
    /// What a login at a provider ended with.
    #[schema(value_type = schema::Ticket)]
    pub ticket: SecretText,
}

/// An account that signs the caller in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct LoginView {
    /// Names it.
    pub id: LoginId,
    /// What the API calls the provider; null once the operator has taken it away.
    pub provider: Option<Slug>,
    /// The URL that the provider calls itself.
    pub issuer: String,
    /// What people know the account by.
    pub account: String,
    /// When it was linked.
    pub created_at: Timestamp,
}

impl LoginView {
    /// As it is kept.
    pub fn new(login: ExternalLogin, sso: &Sso) -> Self {
        let (id, provider) = (login.id(), sso.name_of(&login.issuer).cloned());
        let ExternalLogin { issuer, subject: _, identity: _, label, created_at } = login;
        Self { id, provider, issuer, account: label, created_at }
    }
}
