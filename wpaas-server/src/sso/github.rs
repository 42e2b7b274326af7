//! GitHub, and GitHub Enterprise: OAuth with PKCE; who it is, its API says to whoever has the access token.

use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, RedirectUrl, Scope, TokenResponse, TokenUrl,
};
use openidconnect::Nonce;
use openidconnect::url::{ParseError, Url};
use serde::Deserialize;
use wpaas_core::secret::Secret;
use wpaas_core::service::ExternalAccount;

use super::{Begun, Client, Http, Proof, ProviderError};

/// The form of the API's answers.
const ACCEPT: &str = "application/vnd.github+json";

type Asks = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// One of them.
#[derive(Debug)]
pub struct Github {
    issuer: String,
    client: Client,
    http: Http,
}

#[derive(Deserialize)]
struct User {
    /// Never given to another; a login can be.
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl Github {
    pub(super) const fn new(issuer: String, client: Client, http: Http) -> Self {
        Self { issuer, client, http }
    }

    pub(super) fn begin(&self) -> Result<Begun, ProviderError> {
        let client = self.asks().map_err(ProviderError::untrusted)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scope(Scope::new("user:email".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        // Nothing is signed, so nothing holds a nonce.
        let proof = Proof { nonce: Nonce::new_random(), verifier: Some(verifier) };
        Ok(Begun { url, state: Secret::new(state.into_secret()), proof })
    }

    pub(super) async fn finish(&self, code: String, proof: Proof) -> Result<ExternalAccount, ProviderError> {
        let verifier = proof.verifier.ok_or_else(|| ProviderError::untrusted("there is no verifier"))?;
        let client = self.asks().map_err(ProviderError::untrusted)?;
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        let answer = request.request_async(&self.http).await?;
        let token = Secret::new(answer.access_token().secret().clone());
        let user: User = self.read("user", &token).await?;
        let addresses: Vec<Address> = self.read("user/emails", &token).await?;
        let primary = addresses.into_iter().find(|address| address.primary && address.verified);
        Ok(ExternalAccount {
            issuer: self.issuer.clone(),
            subject: user.id.to_string(),
            label: user.login,
            verified_email: primary.and_then(|address| address.email.parse().ok()),
        })
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        what: &str,
        token: &Secret,
    ) -> Result<T, ProviderError> {
        let url: Url = format!("{}/{what}", api(&self.issuer)).parse().map_err(ProviderError::untrusted)?;
        Ok(self.http.json(url, ACCEPT, token).await?)
    }

    fn asks(&self) -> Result<Asks, ParseError> {
        let at = |path: &str| format!("{}/login/oauth/{path}", self.issuer.trim_end_matches('/'));
        Ok(BasicClient::new(ClientId::new(self.client.id.clone()))
            .set_client_secret(ClientSecret::new(self.client.secret.expose().to_owned()))
            .set_auth_uri(AuthUrl::new(at("authorize"))?)
            .set_token_uri(TokenUrl::new(at("access_token"))?)
            .set_redirect_uri(RedirectUrl::new(self.client.redirect.clone())?)
            .set_auth_type(AuthType::RequestBody))
    }
}

/// GitHub's own API has a host of its own, that of GitHub Enterprise a path.
fn api(issuer: &str) -> String {
    match issuer.trim_end_matches('/') {
        "https://github.com" => "https://api.github.com".to_owned(),
        other => format!("{other}/api/v3"),
    }
}
