use std::net::IpAddr;

use url::{Host, Url};

use crate::reach::{Reach, is_below, is_public};

const LONGEST: usize = 2048;

/// A URL that no messages are posted to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPlace {
    /// Not a URL of a host.
    #[error("must be a URL such as https://ops.example/hook")]
    NotAUrl,
    /// More than fits.
    #[error("must not be longer than {LONGEST} bytes")]
    TooLong,
    /// In the clear, or no HTTP at all.
    #[error(
        "must begin with https://, unless the operator's configuration allows it (webhooks.allowed_prefixes)"
    )]
    Scheme,
    /// Signatures prove who sends.
    #[error("must hold no user or password: what is sent is signed")]
    UserOrPassword,
    /// What a server never sees.
    #[error("must have no fragment")]
    Fragment,
    /// An address that is out of reach.
    #[error(
        "must lead to the public internet, unless the operator's configuration allows it (webhooks.allowed_prefixes)"
    )]
    NotPublic,
}

/// Reads a webhook's URL, and tells where a connection for it may lead: to the public internet, unless it lies below one
/// of these prefixes. What its name leads to is looked up when it is connected to.
///
/// # Errors
///
/// See [`InvalidPlace`].
pub fn place(text: &str, allowed_prefixes: &[String]) -> Result<(Url, Reach), InvalidPlace> {
    if text.len() > LONGEST {
        return Err(InvalidPlace::TooLong);
    }
    let url = Url::parse(text).map_err(|_| InvalidPlace::NotAUrl)?;
    let allowed = matches!(url.scheme(), "http" | "https") && is_below(allowed_prefixes, &url);
    if url.scheme() != "https" && !allowed {
        return Err(InvalidPlace::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidPlace::UserOrPassword);
    }
    if url.fragment().is_some() {
        return Err(InvalidPlace::Fragment);
    }
    let address = match url.host() {
        None => return Err(InvalidPlace::NotAUrl),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
    };
    if !allowed && address.is_some_and(|address| !is_public(address)) {
        return Err(InvalidPlace::NotPublic);
    }
    Ok((url, if allowed { Reach::Anywhere } else { Reach::Public }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Reach, InvalidPlace> {
        let prefixes = ["http://127.0.0.1:9000/hooks/".to_owned(), "ftp://127.0.0.1/".to_owned()];
        place(text, &prefixes).map(|(_, reach)| reach)
    }

    #[test]
    fn messages_go_to_the_public_internet_in_secret_or_where_the_operator_allows() {
        assert_eq!(told("https://ops.example:8443/hook?team=1"), Ok(Reach::Public));
        assert_eq!(told("https://1.1.1.1/"), Ok(Reach::Public));
        assert_eq!(told("http://127.0.0.1:9000/hooks/a"), Ok(Reach::Anywhere));
        for (text, error) in [
            ("ops.example", InvalidPlace::NotAUrl),
            ("https://", InvalidPlace::NotAUrl),
            ("http://ops.example/", InvalidPlace::Scheme),
            ("http://127.0.0.1:9000/other", InvalidPlace::Scheme),
            ("http://127.0.0.1:9000/hooks/../other", InvalidPlace::Scheme),
            ("ftp://127.0.0.1/", InvalidPlace::Scheme),
            ("https://a@ops.example/", InvalidPlace::UserOrPassword),
            ("https://:b@ops.example/", InvalidPlace::UserOrPassword),
            ("https://ops.example/#a", InvalidPlace::Fragment),
            ("https://127.1/", InvalidPlace::NotPublic),
            ("https://0x7f000001/", InvalidPlace::NotPublic),
            ("https://[::1]/", InvalidPlace::NotPublic),
            ("https://[::ffff:10.0.0.1]/", InvalidPlace::NotPublic),
            ("https://169.254.169.254/", InvalidPlace::NotPublic),
        ] {
            assert_eq!(told(text), Err(error), "{text}");
        }
        assert_eq!(told(&format!("https://ops.example/{}", "a".repeat(LONGEST))), Err(InvalidPlace::TooLong));
    }
}
