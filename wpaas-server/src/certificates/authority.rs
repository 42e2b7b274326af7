use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use instant_acme::{
    Account as AcmeAccount, AccountBuilder, AuthorizationStatus, ChallengeType, Error, ExternalAccountKey,
    Identifier, Key, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use jiff::{SignedDuration, Timestamp};
use rcgen::KeyPair;
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};
use wpaas_core::secret::Secret;
use wpaas_core::service::{AcmeKey, CertificateRefusal, NewCertificate, ServiceError};
use wpaas_core::site::{CertificateName, ChallengeKind};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Texts;
use super::http::Http;
use crate::config::{AcmeSettings, ExternalAccountSettings};
use crate::problem::chain;

/// How long an authority may take to look at a challenge, or to issue.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));

/// A certificate authority that speaks ACME.
pub struct Authority {
    directory: String,
    contact: Vec<String>,
    /// What a new account is bound to, where the authority wants that.
    external: Option<ExternalAccountKey>,
    http: Http,
}

/// Our account there.
#[derive(Clone)]
pub struct Account(AcmeAccount);

/// Why no certificate can ever be asked for as it is configured. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The file of `acme.root`.
    #[error("acme.root, {}, can't be read", path.display())]
    Root {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of `acme.external_account.hmac_key_file`.
    #[error("acme.external_account.hmac_key_file, {}, can't be read", path.display())]
    HmacKey {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What vouches for the authority is no certificate, or TLS can't be set up.
    #[error("the authority can't be asked over https")]
    Http(#[source] reqwest::Error),
    /// No key could be made, or what is kept is none.
    #[error("the key of the account at the authority can't be used")]
    Key(#[source] Error),
    /// The store.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Why a certificate was not issued.
#[derive(Debug)]
pub enum Trouble {
    /// In the words of whoever refused.
    Refused(CertificateRefusal),
    /// The authority does not take our account any more.
    AccountGone(String),
    /// The authority took none of our nonces.
    BadNonce(String),
}

impl Trouble {
    pub fn refused(error: impl Into<String>) -> Self {
        Self::Refused(CertificateRefusal { error: error.into(), retry_after: None })
    }

    /// As it is kept.
    pub fn refusal(self) -> CertificateRefusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::AccountGone(error) | Self::BadNonce(error) => {
                CertificateRefusal { error, retry_after: None }
            }
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let problem = match error {
            Error::Api(problem) => problem,
            Error::Timeout(next) => {
                let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
                return Self::Refused(CertificateRefusal {
                    error: "the authority took too long".to_owned(),
                    retry_after: wait.and_then(|wait| SignedDuration::try_from(wait).ok()),
                });
            }
            error => return Self::refused(format!("the authority can't be asked: {}", chain(&error))),
        };
        let words = words(&problem);
        match kind(&problem) {
            "badNonce" => Self::BadNonce(words),
            "accountDoesNotExist" => Self::AccountGone(words),
            // Limits are counted in hours and days.
            "rateLimited" => Self::Refused(CertificateRefusal {
                error: words,
                retry_after: Some(SignedDuration::from_hours(1)),
            }),
            _ => Self::refused(words),
        }
    }
}

/// The last part of a problem's type.
fn kind(problem: &Problem) -> &str {
    problem.r#type.as_deref().unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

/// What the authority said.
fn words(problem: &Problem) -> String {
    let mut words = problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
    for problem in &problem.subproblems {
        words.push_str("; ");
        words.push_str(&problem.to_string());
    }
    match kind(problem) {
        "" => words,
        kind => format!("{words} ({kind})"),
    }
}

/// Of an account that is no good any more, at what only an account may do.
fn of_account(error: Error) -> Trouble {
    match error {
        Error::Api(problem) if kind(&problem) == "unauthorized" => Trouble::AccountGone(words(&problem)),
        error => error.into(),
    }
}

/// A new key for an account, of this version.
pub fn new_key(version: u64) -> Result<AcmeKey, AuthorityError> {
    let (_, pkcs8) = Key::generate_pkcs8().map_err(AuthorityError::Key)?;
    Ok(kept(version, pkcs8.secret_pkcs8_der()))
}

/// As it is kept.
fn kept(version: u64, pkcs8: &[u8]) -> AcmeKey {
    AcmeKey { version, key: Secret::new(BASE64_STANDARD.encode(pkcs8)) }
}

/// What binds our account to one that the authority knows by other means: its key is in a file, as the authority shows
/// it.
fn external(settings: &ExternalAccountSettings) -> Result<ExternalAccountKey, AuthorityError> {
    let ExternalAccountSettings { kid, hmac_key_file: path } = settings;
    let unreadable = |source| AuthorityError::HmacKey { path: path.clone(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let key =
        hmac_key(&text).ok_or_else(|| unreadable(std::io::Error::other("it holds no key in base64url")))?;
    Ok(ExternalAccountKey::new(kid.clone(), &key))
}

/// Authorities show it in base64url, some with the padding.
fn hmac_key(text: &str) -> Option<Vec<u8>> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).ok()?;
    Some(key).filter(|key| !key.is_empty())
}

fn pkcs8(key: &AcmeKey) -> Result<Vec<u8>, Error> {
    BASE64_STANDARD.decode(key.key.expose()).map_err(|_| Error::KeyRejected)
}

/// What tells a key from others.
pub fn thumbprint(key: &AcmeKey) -> Result<String, AuthorityError> {
    let pkcs8 = pkcs8(key).map_err(AuthorityError::Key)?;
    let pair = KeyPair::try_from(pkcs8).map_err(|_| AuthorityError::Key(Error::KeyRejected))?;
    // An uncompressed point: 4, and its two coordinates. RFC 7638 takes these members in this order.
    let [_, point @ ..] = pair.public_key_raw() else { return Err(AuthorityError::Key(Error::KeyRejected)) };
    let (x, y) = point.split_at(point.len() / 2);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(jwk)))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.directory).finish()
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.0.id()).finish()
    }
}

impl Authority {
    /// As configured.
    pub fn new(settings: &AcmeSettings) -> Result<Self, AuthorityError> {
        let AcmeSettings { directory, contact, root, external_account, wildcards: _, per_domain: _ } =
            settings;
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).map_err(|source| AuthorityError::Root { path: path.clone(), source })
        };
        let root = root.as_ref().map(read).transpose()?;
        let http = Http::new(root.as_deref()).map_err(AuthorityError::Http)?;
        let contact = contact.iter().map(|address| format!("mailto:{address}")).collect();
        let external = external_account.as_ref().map(external).transpose()?;
        Ok(Self { directory: directory.clone(), contact, external, http })
    }

    /// The URL of its directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    fn builder(&self) -> AccountBuilder {
        AcmeAccount::builder_with_http(Box::new(self.http.clone()))
    }

    /// The account of this key, which is made where there is none; where accounts are bound to another, only
    /// [`Self::another`] makes one.
    pub async fn account(&self, key: &AcmeKey) -> Result<Account, Trouble> {
        let pkcs8 = pkcs8(key)?;
        let pair = (Key::from_pkcs8_der(pkcs8.clone().into())?, PrivateKeyDer::Pkcs8(pkcs8.into()));
        let found = match &self.external {
            None => self.builder().create_from_key(pair, self.directory.clone()).await,
            Some(_) => self.builder().from_key(pair, self.directory.clone()).await,
        };
        let (account, _) = found.map_err(of_account)?;
        if !self.contact.is_empty() {
            let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
            account.update_contacts(&contact).await.map_err(of_account)?;
        }
        Ok(Account(account))
    }

    /// The key of another account, of this version. Where accounts are bound to one elsewhere, it is made and bound now.
    pub async fn another(&self, version: u64) -> Result<AcmeKey, Trouble> {
        let Some(external) = &self.external else {
            return new_key(version).map_err(|error| Trouble::refused(chain(&error)));
        };
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (_, credentials) = self.builder().create(&new, self.directory.clone(), Some(external)).await?;
        Ok(kept(version, credentials.private_key().secret_pkcs8_der()))
    }

    /// Asks for a certificate of this name, and proves that it is ours.
    pub async fn issue(
        &self,
        account: &Account,
        name: &CertificateName,
        texts: &dyn Texts,
    ) -> Result<NewCertificate, Trouble> {
        let identifiers = [Identifier::Dns(name.to_string())];
        let mut order = account.0.new_order(&NewOrder::new(&identifiers)).await.map_err(of_account)?;
        let mut published = Vec::new();
        let ready = prove(&mut order, name, texts, &mut published).await;
        for text in published {
            texts.withdraw(&name.record_name(), &text).await;
        }
        ready?;
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&POLLS).await?;
        let (not_before, not_after) = validity(&chain)?;
        let pem = Secret::new(format!("{}\n{key}", chain.trim_end()));
        Ok(NewCertificate { pem, not_before, not_after, issued_at: Timestamp::now() })
    }
}

/// Has the authority look at what proves the name, until it has made up its mind.
async fn prove(
    order: &mut Order,
    name: &CertificateName,
    texts: &dyn Texts,
    published: &mut Vec<String>,
) -> Result<(), Trouble> {
    let kind = match name.challenge() {
        ChallengeKind::Http => ChallengeType::Http01,
        ChallengeKind::Dns => ChallengeType::Dns01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization
            .challenge(kind.clone())
            .ok_or_else(|| Trouble::refused(format!("the authority does not offer {kind:?}")))?;
        if kind == ChallengeType::Dns01 {
            let text = challenge.key_authorization().dns_value();
            published.push(text.clone());
            texts.publish(&name.record_name(), &text).await.map_err(Trouble::refused)?;
        }
        challenge.set_ready().await?;
    }
    match order.poll_ready(&POLLS).await {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => Ok(()),
        Ok(_) => Err(why(order).await.unwrap_or_else(|| Trouble::refused("the order became invalid"))),
        Err(error @ Error::Api(_)) => Err(why(order).await.unwrap_or_else(|| error.into())),
        Err(error) => Err(error.into()),
    }
}

/// What the authority found wrong with a challenge.
async fn why(order: &mut Order) -> Option<Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        let state = authorization.refresh().await.ok()?;
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return Some(Trouble::refused(words(problem)));
        }
    }
    None
}

/// From when until when the first certificate of a chain is valid.
fn validity(chain: &str) -> Result<(Timestamp, Timestamp), Trouble> {
    let unreadable =
        |why: &dyn fmt::Display| Trouble::refused(format!("the authority issued no certificate: {why}"));
    let pem = Pem::iter_from_buffer(chain.as_bytes()).next().ok_or_else(|| unreadable(&"it is empty"))?;
    let pem = pem.map_err(|error| unreadable(&error))?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).map_err(|error| unreadable(&error))?;
    let validity = certificate.validity();
    let at = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).map_err(|error| unreadable(&error))
    };
    Ok((at(validity.not_before)?, at(validity.not_after)?))
}
