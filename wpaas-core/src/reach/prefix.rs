use url::Url;

/// Whether the text is a beginning of URLs that can be compared: a URL that ends in `/` and has no password, query or
/// fragment.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether the URL lies below one of the prefixes. Compared as parsed, so that neither a user, nor a longer port, nor
/// `..` leads elsewhere; what is no prefix admits nothing.
#[must_use]
pub fn is_below(prefixes: &[String], url: &Url) -> bool {
    prefixes.iter().filter_map(|text| parse(text)).any(|prefix| admits(&prefix, url))
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (text.ends_with('/') && url.path().ends_with('/') && plain).then_some(url)
}

fn admits(prefix: &Url, url: &Url) -> bool {
    let any_user = prefix.scheme() == "ssh" && prefix.username().is_empty();
    prefix.scheme() == url.scheme()
        && prefix.host() == url.host()
        && prefix.port_or_known_default() == url.port_or_known_default()
        && (any_user || prefix.username() == url.username())
        && url.password().is_none()
        && url.path().starts_with(prefix.path())
}
