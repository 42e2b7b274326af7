use std::net::Ipv4Addr;

use url::{Host, Url};

use super::{CodePolicy, CodeProblem, text};

/// A git URL that was checked. What is handed to git is built from the parsed parts, never the original
/// text, so that git can't read it differently than this module did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    /// How to get there.
    pub transport: Transport,
    /// A DNS name or an IP address (IPv6 without brackets); empty for a local path.
    pub host: String,
    /// The port, the transport's own unless given; 0 for a local path.
    pub port: u16,
    /// For git's command line.
    pub text: String,
    /// Whether the operator allowed it by a prefix: then its address may be private.
    pub allowed_by_prefix: bool,
}

/// How git gets at a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https://`
    Https,
    /// `ssh://` and `git@host:path`
    Ssh,
    /// `http://`; by prefix only.
    Http,
    /// `git://`; by prefix only.
    Git,
    /// `file://`; by prefix only.
    File,
}

impl Transport {
    /// As git names it in `protocol.*.allow`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Git => "git",
            Self::File => "file",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Ssh => 22,
            Self::Http => 80,
            Self::Git => 9418,
            Self::File => 0,
        }
    }

    fn of_scheme(scheme: &str) -> Option<Self> {
        [Self::Https, Self::Ssh, Self::Http, Self::Git, Self::File].into_iter().find(|t| t.as_str() == scheme)
    }
}

impl GitUrl {
    /// Reads `https://…`, `ssh://…` and `git@host:path`, and what the policy allows besides.
    ///
    /// # Errors
    ///
    /// What does not do about it. `ext::` and other helpers never do, whatever the policy.
    pub fn parse(url: &str, policy: &CodePolicy) -> Result<Self, CodeProblem> {
        text::check(url, 2048)?;
        check_characters(url)?;
        if let Some((helper, _)) = url.split_once("::").filter(|(helper, _)| is_word(helper)) {
            return Err(CodeProblem::Scheme(helper.to_owned()));
        }
        match url.split_once("://") {
            Some((scheme, _)) if is_word(scheme) => Self::parse_url(url, policy),
            Some(_) => Err(CodeProblem::NotAUrl),
            None => Self::parse_short(url, policy),
        }
    }

    fn parse_url(text: &str, policy: &CodePolicy) -> Result<Self, CodeProblem> {
        let url = Url::parse(text).map_err(|_| CodeProblem::Host)?;
        let scheme = || CodeProblem::Scheme(url.scheme().to_owned());
        let transport = Transport::of_scheme(url.scheme()).ok_or_else(scheme)?;
        check_authority(text, &url, transport)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(CodeProblem::QueryOrFragment);
        }
        let host = host_of(&url, transport)?;
        let port = url.port().unwrap_or(transport.port());
        if port == 0 && transport != Transport::File {
            return Err(CodeProblem::Port);
        }
        let allowed_by_prefix = policy.allows_url(&url);
        if !allowed_by_prefix && !matches!(transport, Transport::Https | Transport::Ssh) {
            return Err(scheme());
        }
        Ok(Self { transport, host, port, text: url.into(), allowed_by_prefix })
    }

    /// `git@host:path`, which git takes for ssh; a path without a leading slash begins at the user's home.
    fn parse_short(text: &str, policy: &CodePolicy) -> Result<Self, CodeProblem> {
        let (user, rest) = text.split_once('@').ok_or(CodeProblem::NotAUrl)?;
        let (host, path) = rest.split_once(':').ok_or(CodeProblem::NotAUrl)?;
        if user != "git" || path.contains('@') && host.is_empty() {
            return Err(CodeProblem::UserOrPassword);
        }
        check_host(host)?;
        text::check(path, 2048)?;
        if path.split('/').any(text::is_dots) || path.contains(['?', '#', '%']) {
            return Err(CodeProblem::Characters);
        }
        let absolute = if path.starts_with('/') { path.to_owned() } else { format!("/~/{path}") };
        let url = Url::parse(&format!("ssh://git@{host}{absolute}")).map_err(|_| CodeProblem::NotAUrl)?;
        Ok(Self {
            transport: Transport::Ssh,
            host: host.to_owned(),
            port: Transport::Ssh.port(),
            text: text.to_owned(),
            allowed_by_prefix: policy.allows_url(&url),
        })
    }
}

/// Only what means the same to us, to git, to curl and to a server behind a proxy.
fn check_characters(text: &str) -> Result<(), CodeProblem> {
    let visible = text.bytes().all(|b| b.is_ascii_graphic() && !br#"\"'`<>{}|^"#.contains(&b));
    let mut encoded = text.split('%').skip(1);
    let harmless = |rest: &str| {
        let byte = rest.get(..2).and_then(|digits| hex::decode(digits).ok());
        byte.is_some_and(|byte| !byte[0].is_ascii_control() && !b"./\\%".contains(&byte[0]))
    };
    if visible && encoded.all(harmless) { Ok(()) } else { Err(CodeProblem::Characters) }
}

/// Looks at the text too: the parser forgets an empty user, and finds a host behind surplus slashes.
fn check_authority(text: &str, url: &Url, transport: Transport) -> Result<(), CodeProblem> {
    let written = text.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    if written.is_empty() && transport != Transport::File {
        return Err(CodeProblem::Host);
    }
    let user = url.username();
    let allowed = if user.is_empty() { !written.contains('@') } else { user == "git" };
    let ssh = user.is_empty() || transport == Transport::Ssh;
    if allowed && ssh && url.password().is_none() { Ok(()) } else { Err(CodeProblem::UserOrPassword) }
}

fn host_of(url: &Url, transport: Transport) -> Result<String, CodeProblem> {
    match (transport, url.host()) {
        (Transport::File, None) => Ok(String::new()),
        (Transport::File, Some(_)) | (_, None) => Err(CodeProblem::Host),
        (_, Some(Host::Ipv4(ip))) => Ok(ip.to_string()),
        (_, Some(Host::Ipv6(ip))) => Ok(ip.to_string()),
        (_, Some(Host::Domain(name))) => check_host(name).map(|()| name.to_owned()),
    }
}

fn check_host(name: &str) -> Result<(), CodeProblem> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let one_reading = !numeric || name.parse::<Ipv4Addr>().is_ok();
    if name.len() <= 253 && name.split('.').all(label) && one_reading {
        Ok(())
    } else {
        Err(CodeProblem::Host)
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}
