//! `OpenID` Connect: the authorization code, with PKCE and a nonce, and an ID token that is checked to the letter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenClaims,
    CoreJwsSigningAlgorithm as Algorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, NonceVerifier, PkceCodeChallenge,
    RedirectUrl, Scope, TokenResponse,
};
use wpaas_core::secret::Secret;
use wpaas_core::service::ExternalAccount;

use super::{Begun, Client, Http, Proof, ProviderError};
use crate::config::SsoKind;

/// What a provider says of itself is asked anew after so long, and whenever its keys do not fit.
const KEPT: Duration = Duration::from_hours(1);
/// An ID token is the word of whoever holds the provider's private key, and of nobody who knows the client's secret.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

type Asks = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider that speaks it.
#[derive(Debug)]
pub struct Oidc {
    kind: SsoKind,
    issuer: String,
    client: Client,
    http: Http,
    known: Mutex<Option<Known>>,
}

/// What the provider last said of itself, with its keys.
#[derive(Debug, Clone)]
struct Known {
    metadata: Arc<CoreProviderMetadata>,
    at: Instant,
}

impl Oidc {
    pub(super) const fn new(kind: SsoKind, issuer: String, client: Client, http: Http) -> Self {
        Self { kind, issuer, client, http, known: Mutex::new(None) }
    }

    pub(super) async fn begin(&self) -> Result<Begun, ProviderError> {
        let client = self.asks(&*self.metadata().await?)?;
        let state = || CsrfToken::new_random_len(32);
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, state, Nonce::new_random)
            .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())));
        let mut proof = None;
        if self.has_pkce() {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            request = request.set_pkce_challenge(challenge);
            proof = Some(verifier);
        }
        let (url, state, nonce) = request.url();
        let state = Secret::new(state.into_secret());
        Ok(Begun { url, state, proof: Proof { nonce, verifier: proof } })
    }

    pub(super) async fn finish(&self, code: String, proof: Proof) -> Result<ExternalAccount, ProviderError> {
        let Proof { nonce, verifier } = proof;
        let client = self.asks(&*self.metadata().await?)?;
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(ProviderError::untrusted)?;
        let request = match verifier {
            Some(verifier) => request.set_pkce_verifier(verifier),
            None => request,
        };
        let answer = request.request_async(&self.http).await?;
        let token = answer.id_token().ok_or_else(|| ProviderError::untrusted("it has no ID token"))?;
        let claims = match self.verified(&client, token, &nonce) {
            // The provider may have new keys.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let client = self.asks(&*self.discover().await?)?;
                self.verified(&client, token, &nonce)
            }
            verified => verified,
        };
        Ok(self.account(&claims.map_err(ProviderError::untrusted)?))
    }

    /// Checks issuer, audience, signature, expiry and nonce.
    fn verified(
        &self,
        client: &Asks,
        token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let fits = |found: Option<&Nonce>| match found {
            None if self.kind == SsoKind::Linkedin => Ok(()),
            found => nonce.verify(found),
        };
        token.claims(&verifier, fits).cloned()
    }

    fn account(&self, claims: &CoreIdTokenClaims) -> ExternalAccount {
        let email = claims.email().map(|email| email.as_str());
        let verified_email = email.filter(|_| claims.email_verified() == Some(true));
        let name = claims.preferred_username().map(|name| name.as_str());
        ExternalAccount {
            issuer: self.issuer.clone(),
            subject: claims.subject().to_string(),
            label: email.or(name).unwrap_or(claims.subject().as_str()).to_owned(),
            verified_email: verified_email.and_then(|email| email.parse().ok()),
        }
    }

    /// What the provider says of itself, and its keys; as they were known within the hour.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(Known { metadata, at }) if at.elapsed() < KEPT => Ok(metadata),
            _ => self.discover().await,
        }
    }

    /// The same, asked now. The provider must call itself what the operator calls it.
    async fn discover(&self) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(ProviderError::untrusted)?;
        let metadata = Arc::new(CoreProviderMetadata::discover_async(issuer, &self.http).await?);
        let known = Known { metadata: metadata.clone(), at: Instant::now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(metadata)
    }

    fn asks(&self, metadata: &CoreProviderMetadata) -> Result<Asks, ProviderError> {
        let redirect = RedirectUrl::new(self.client.redirect.clone()).map_err(ProviderError::untrusted)?;
        let (id, secret) = (self.client.id.clone(), self.client.secret.expose().to_owned());
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(id),
            Some(ClientSecret::new(secret)),
        );
        Ok(client.set_redirect_uri(redirect).set_auth_type(self.authenticates(metadata)))
    }

    /// How the client presents its secret: as every provider must take it, unless it says that it does not.
    fn authenticates(&self, metadata: &CoreProviderMetadata) -> AuthType {
        let methods = metadata.token_endpoint_auth_methods_supported();
        let basic = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        if basic && self.kind != SsoKind::Linkedin { AuthType::BasicAuth } else { AuthType::RequestBody }
    }

    fn has_pkce(&self) -> bool {
        self.kind != SsoKind::Linkedin
    }
}
