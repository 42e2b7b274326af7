//! Identity providers: the well-known ones need no more than a client's id and secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use wpaas_core::name::Slug;

use super::ConfigError;
use super::file;
use super::resolve::value;

/// How a provider is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SsoKind {
    /// `OpenID` Connect, as it is written.
    Oidc,
    /// `OpenID` Connect without nonce and PKCE: LinkedIn answers neither.
    Linkedin,
    /// GitHub's OAuth, and its API for who it is.
    Github,
}

/// A provider that people can sign in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SsoProvider {
    /// How it is spoken with.
    pub kind: SsoKind,
    /// What people call it.
    pub title: String,
    /// The URL that it calls itself.
    pub issuer: String,
    /// What it calls this installation.
    pub client_id: String,
    /// What holds the secret that belongs to that, in one line.
    pub client_secret_file: PathBuf,
    /// Whether what it says of an e-mail address is enough to let in whom that address was invited as.
    pub trust_email: bool,
}

/// What is known without being told.
fn preset(name: &str) -> Option<(SsoKind, &'static str, &'static str)> {
    match name {
        "google" => Some((SsoKind::Oidc, "Google", "https://accounts.google.com")),
        "linkedin" => Some((SsoKind::Linkedin, "LinkedIn", "https://www.linkedin.com/oauth")),
        "github" => Some((SsoKind::Github, "GitHub", "https://github.com")),
        _ => None,
    }
}

pub(super) fn public_url(given: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    let url: Url = given.parse().map_err(|_| value("public_url", "must be like https://HOST"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !plain || url.path() != "/" || url.password().is_some() {
        return Err(value("public_url", "must be like https://HOST, with nothing after the host and port"));
    }
    if !is_confidential(&url) {
        return Err(value(
            "public_url",
            "must begin with https://, unless its host is this machine's loopback",
        ));
    }
    Ok(Some(given.trim_end_matches('/').to_owned()))
}

pub(super) fn providers(
    file: BTreeMap<Slug, file::Sso>,
    has_public_url: bool,
) -> Result<BTreeMap<Slug, SsoProvider>, ConfigError> {
    if !file.is_empty() && !has_public_url {
        return Err(value(
            "public_url",
            "must be given where there is single sign-on: providers send browsers to it",
        ));
    }
    let mut providers: BTreeMap<Slug, SsoProvider> = BTreeMap::new();
    for (name, given) in file {
        let provider = provider(&name, given)?;
        if providers.values().any(|other| other.issuer == provider.issuer) {
            let why = format!("{name}'s issuer is another's, too: an account can't belong to two providers");
            return Err(value("sso", why));
        }
        providers.insert(name, provider);
    }
    Ok(providers)
}

fn provider(name: &Slug, given: file::Sso) -> Result<SsoProvider, ConfigError> {
    let file::Sso { kind, title, issuer, client_id, client_secret_file, trust_email } = given;
    let wrong = |why: &str| value("sso", format!("{name}: {why}"));
    let known = preset(name.as_str());
    let issuer = issuer.or(known.map(|(.., issuer)| issuer.to_owned()));
    let issuer =
        issuer.ok_or_else(|| wrong("issuer must be given, unless it is google, linkedin or github"))?;
    let url: Url = issuer.parse().map_err(|_| wrong("issuer must be a URL"))?;
    if !is_confidential(&url) {
        return Err(wrong("issuer must begin with https://"));
    }
    if client_id.is_empty() {
        return Err(wrong("client_id must not be empty"));
    }
    Ok(SsoProvider {
        kind: kind.or(known.map(|(kind, ..)| kind)).unwrap_or(SsoKind::Oidc),
        title: title.or(known.map(|(_, title, _)| title.to_owned())).unwrap_or_else(|| name.to_string()),
        issuer,
        client_id,
        client_secret_file,
        trust_email: trust_email.unwrap_or(false),
    })
}

/// Whether nobody on the way can read what is said there: it is encrypted, or stays on this machine.
pub(crate) fn is_confidential(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{File, Flags, Settings};

    fn read(text: &str) -> Result<Settings, ConfigError> {
        super::super::resolve::settings(Flags::default(), toml::from_str::<File>(text).unwrap())
    }

    const SECRET: &str = "client_id = 'us'\nclient_secret_file = '/secret'";

    #[test]
    fn the_known_ones_need_only_a_client() {
        let text =
            format!("public_url = 'https://a.example/'\n[sso.google]\n{SECRET}\n[sso.github]\n{SECRET}");
        let settings = read(&text).unwrap();
        assert_eq!(settings.public_url.as_deref(), Some("https://a.example"));
        let names: Vec<_> = settings.sso.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["github", "google"]);
        let google = &settings.sso[&"google".parse::<Slug>().unwrap()];
        assert_eq!((google.kind, google.issuer.as_str()), (SsoKind::Oidc, "https://accounts.google.com"));
        assert!(!google.trust_email);
    }

    #[test]
    fn what_would_not_work_or_not_be_safe_is_refused_by_name() {
        let refused = |text: String| read(&text).unwrap_err().to_string();
        let with = |lines: &str| format!("public_url = 'https://a.example'\n{lines}");
        for (text, name) in [
            (format!("[sso.google]\n{SECRET}"), "public_url"),
            (with(&format!("[sso.acme]\n{SECRET}")), "sso: acme: issuer"),
            (with(&format!("[sso.acme]\nissuer = 'http://acme.example'\n{SECRET}")), "sso: acme: issuer"),
            (with(&format!("[sso.acme]\nissuer = 'acme'\n{SECRET}")), "sso: acme: issuer"),
            (with("[sso.google]\nclient_id = ''\nclient_secret_file = '/s'"), "sso: google: client_id"),
            (
                with(&format!(
                    "[sso.google]\n{SECRET}\n[sso.g]\nissuer = 'https://accounts.google.com'\n{SECRET}"
                )),
                "sso: google's issuer",
            ),
        ] {
            let told = refused(text);
            assert!(told.starts_with(name), "{told}");
        }
        for url in [
            "http://a.example",
            "https://a.example/api",
            "https://a@a.example",
            "a.example",
            "ftp://localhost",
        ] {
            assert!(refused(format!("public_url = '{url}'")).starts_with("public_url"), "{url}");
        }
        assert!(read("public_url = 'http://127.0.0.1:8080'").is_ok());
    }
}
