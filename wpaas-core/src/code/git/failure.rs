use std::io;

use crate::code::archive::too_large;
use crate::code::reference::GitUrl;
use crate::code::text::printable;
use crate::code::{CodeError, Limits};

/// Why a git command did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be started or waited for.
    Start(io::Error),
    /// It was ended for what it took.
    TooLarge(Limits),
    /// It failed, and said this.
    Git(String),
}

/// What a complaint of git is about. Git has nothing but text to tell that; its language is set to C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    HostKey,
    Credential,
    Redirect,
    NotFound,
    Reference,
    Network,
}

/// Looked for in this order.
const SIGNS: [(&str, About); 22] = [
    ("host key verification failed", About::HostKey),
    ("authentication failed", About::Credential),
    ("could not read username", About::Credential),
    ("could not read password", About::Credential),
    ("permission denied", About::Credential),
    ("error in libcrypto", About::Credential),
    ("returned error: 401", About::Credential),
    ("returned error: 403", About::Credential),
    ("returned error: 30", About::Redirect),
    ("unable to update url base from redirection", About::Redirect),
    ("couldn't find remote ref", About::Reference),
    ("not our ref", About::Reference),
    ("unadvertised object", About::Reference),
    ("returned error: 404", About::NotFound),
    ("does not appear to be a git repository", About::NotFound),
    ("repository not found", About::NotFound),
    ("' not found", About::NotFound),
    ("not valid: is this a git repository", About::NotFound),
    ("timed out", About::Network),
    ("could not connect", About::Network),
    ("failed to connect", About::Network),
    ("connection", About::Network),
];

impl Failure {
    /// For a command that has nothing to do with a remote.
    pub(super) fn local(self) -> CodeError {
        match self {
            Self::Start(error) => CodeError::Io(error),
            Self::TooLarge(limits) => too_large(&limits),
            Self::Git(text) if text.contains("not found") => {
                CodeError::Unavailable("this server has no git".into())
            }
            Self::Git(text) => CodeError::Io(io::Error::other(printable(text.trim(), 300))),
        }
    }

    /// Whether the server gives whole histories only.
    pub(super) fn is_about_depth(&self) -> bool {
        matches!(self, Self::Git(text) if text.contains("does not support shallow"))
    }

    /// For the customer.
    pub(super) fn translate(self, url: &GitUrl) -> CodeError {
        let Self::Git(text) = self else { return self.local() };
        let (lower, host, last) = (text.to_lowercase(), &url.host, last_words(&text));
        let about = SIGNS.iter().find(|(sign, _)| lower.contains(sign)).map(|(_, about)| *about);
        let refused = |why: String| CodeError::Refused(format!("code.git: {why}"));
        match about {
            Some(About::HostKey) => refused(format!("this server does not know the SSH key of {host}")),
            Some(About::Credential) => refused(format!(
                "{host} wants a credential, or another one; a private repository that is not there looks the same"
            )),
            Some(About::Redirect) => refused("the URL redirects elsewhere: give the final one".into()),
            Some(About::NotFound) => refused(format!("there is no git repository at {}", url.text)),
            Some(About::Reference) => {
                CodeError::Refused("code.ref: the repository does not give out this commit or ref".into())
            }
            Some(About::Network) => CodeError::Unavailable(format!("{host} can't be reached: {last}")),
            None => CodeError::Unavailable(format!("fetching from {host} failed: {last}")),
        }
    }
}

fn last_words(text: &str) -> String {
    let said = text.lines().rev().find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    let said = said.or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()));
    printable(said.unwrap_or("git said nothing"), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::reference::CodePolicy;

    #[test]
    fn complaints_are_translated() {
        let url = GitUrl::parse("https://example.com/a.git", &CodePolicy::default()).unwrap();
        for (complaint, meant, again) in [
            (
                "fatal: could not read Username for 'https://example.com': terminal prompts disabled",
                "credential",
                false,
            ),
            ("fatal: Authentication failed for 'https://example.com/a.git/'", "credential", false),
            (
                "git@example.com: Permission denied (publickey).\nfatal: Could not read from",
                "credential",
                false,
            ),
            ("Host key verification failed.\nfatal: Could not read", "SSH key of example.com", false),
            (
                "remote: Repository not found.\nfatal: repository 'https://x/' not found",
                "no git repository",
                false,
            ),
            ("fatal: unable to access 'x': The requested URL returned error: 302", "redirects", false),
            ("fatal: couldn't find remote ref x", "code.ref:", false),
            (
                "fatal: unable to access 'x': Failed to connect to example.com port 443",
                "can't be reached",
                true,
            ),
            ("error: RPC failed\nfatal: early EOF", "failed: fatal: early EOF", true),
            ("\u{1b}[31mboo", "failed: \u{fffd}[31mboo", true),
        ] {
            let error = Failure::Git(complaint.into()).translate(&url);
            assert!(error.to_string().contains(meant), "{complaint}: {error}");
            assert_eq!(matches!(error, CodeError::Unavailable(_)), again, "{complaint}");
        }
    }
}
