//! Single sign-on: the identity providers that the operator has named, and how each proves whose account it is.
//!
//! What a login needs between its start and its end is kept with the store, sealed, and taken once; a cookie binds
//! it to the browser that it began in ([`browser`]). Whom an account signs in is the service's to say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openidconnect::url::Url;
use openidconnect::{Nonce, PkceCodeVerifier};
use serde::{Deserialize, Serialize};
use wpaas_core::name::Slug;
use wpaas_core::secret::Secret;
use wpaas_core::service::ExternalAccount;

use crate::config::{Settings, SsoKind, SsoProvider};

pub mod browser;
mod error;
mod github;
mod http;
mod oidc;
pub mod page;

pub use error::ProviderError;
use github::Github;
use http::Http;
use oidc::Oidc;

/// The providers, by the name that the API has for each.
#[derive(Debug, Default)]
pub struct Sso {
    providers: BTreeMap<Slug, Provider>,
}

/// One of them.
#[derive(Debug)]
pub struct Provider {
    /// As the operator has named it.
    pub settings: SsoProvider,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    Oidc(Box<Oidc>),
    Github(Box<Github>),
}

/// What a provider knows this installation by.
#[derive(Debug, Clone)]
struct Client {
    id: String,
    secret: Secret,
    /// Where it sends browsers back to, to the letter.
    redirect: String,
}

/// A login that begins.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser is to go.
    pub url: Url,
    /// What comes back with it.
    pub state: Secret,
    /// What to remember until then.
    pub proof: Proof,
}

/// What shows that an answer of the provider belongs to the login that began, and that nobody else can use it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Proof {
    /// Must be in what the provider signs.
    nonce: Nonce,
    /// What only we know of the code challenge (PKCE); `None` where the provider knows no such thing.
    verifier: Option<PkceCodeVerifier>,
}

/// Why there is no single sign-on. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SsoError {
    /// The secret of a client can't be read.
    #[error("the client's secret for {provider}, {}, can't be read", path.display())]
    Secret {
        /// For which provider.
        provider: Slug,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of a secret has none.
    #[error("the client's secret for {provider} is empty: {} must have it in its first line", path.display())]
    Empty {
        /// For which provider.
        provider: Slug,
        /// Where.
        path: PathBuf,
    },
    /// Providers can't be asked anything.
    #[error("providers can't be asked over HTTP")]
    Http(#[source] reqwest::Error),
}

impl Sso {
    /// As configured. Asks no provider anything yet: one that is down keeps no server from starting.
    ///
    /// # Errors
    ///
    /// See [`SsoError`].
    pub fn new(settings: &Settings) -> Result<Self, SsoError> {
        let (Some(public_url), false) = (&settings.public_url, settings.sso.is_empty()) else {
            return Ok(Self::default());
        };
        let http = Http::new().map_err(SsoError::Http)?;
        let mut providers = BTreeMap::new();
        for (name, settings) in &settings.sso {
            let client = Client {
                id: settings.client_id.clone(),
                secret: secret(name, settings)?,
                redirect: format!("{public_url}/sso/{name}/callback"),
            };
            providers.insert(name.clone(), Provider::new(settings.clone(), client, http.clone()));
        }
        Ok(Self { providers })
    }

    /// The provider of this name.
    pub fn provider(&self, name: &Slug) -> Option<&Provider> {
        self.providers.get(name)
    }

    /// All of them, in the order of their names.
    pub fn providers(&self) -> impl Iterator<Item = (&Slug, &Provider)> {
        self.providers.iter()
    }

    /// What the API calls the provider of this issuer, if it is still named.
    pub fn name_of(&self, issuer: &str) -> Option<&Slug> {
        self.providers.iter().find(|(_, provider)| provider.settings.issuer == issuer).map(|(name, _)| name)
    }
}

impl Provider {
    fn new(settings: SsoProvider, client: Client, http: Http) -> Self {
        let protocol = match settings.kind {
            SsoKind::Oidc | SsoKind::Linkedin => {
                Protocol::Oidc(Box::new(Oidc::new(settings.kind, settings.issuer.clone(), client, http)))
            }
            SsoKind::Github => Protocol::Github(Box::new(Github::new(settings.issuer.clone(), client, http))),
        };
        Self { settings, protocol }
    }

    /// Where to send a browser.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn begin(&self) -> Result<Begun, ProviderError> {
        match &self.protocol {
            Protocol::Oidc(oidc) => oidc.begin().await,
            Protocol::Github(github) => github.begin(),
        }
    }

    /// Whose account it is that the browser came back with a code for.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    pub async fn finish(&self, code: String, proof: Proof) -> Result<ExternalAccount, ProviderError> {
        let account = match &self.protocol {
            Protocol::Oidc(oidc) => oidc.finish(code, proof).await?,
            Protocol::Github(github) => github.finish(code, proof).await?,
        };
        fit(account)
    }
}

/// The longest subject that `OpenID` Connect allows.
const SUBJECT: usize = 255;
/// Of a label, for people.
const LABEL: usize = 200;

fn fit(account: ExternalAccount) -> Result<ExternalAccount, ProviderError> {
    if account.subject.is_empty() || account.subject.len() > SUBJECT {
        return Err(ProviderError::untrusted("its subject must have 1 to 255 bytes"));
    }
    let label = account.label.chars().filter(|c| !c.is_control()).take(LABEL).collect();
    Ok(ExternalAccount { label, ..account })
}

fn secret(provider: &Slug, settings: &SsoProvider) -> Result<Secret, SsoError> {
    let path = settings.client_secret_file.clone();
    let text = std::fs::read_to_string(&path).map(Secret::new).map_err(|source| SsoError::Secret {
        provider: provider.clone(),
        path: path.clone(),
        source,
    })?;
    match text.expose().lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        _ => Err(SsoError::Empty { provider: provider.clone(), path }),
    }
}
