//! Binds a login to the browser that it began in: what one browser began, no other can end.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use cookie::{Cookie, SameSite, time::Duration};
use sha2::{Digest, Sha256};
use wpaas_core::credential::random_text;
use wpaas_core::secret::Secret;

/// As long as the login may take.
const LIFETIME: Duration = Duration::minutes(10);

/// What the browser is told to keep.
pub fn keep(state: &Secret, value: &Secret, public_url: &str) -> String {
    cookie(state, value.expose().to_owned(), public_url).max_age(LIFETIME).build().to_string()
}

/// What it is told to forget.
pub fn forget(state: &Secret, public_url: &str) -> String {
    cookie(state, String::new(), public_url).max_age(Duration::ZERO).build().to_string()
}

/// Something that only one browser knows, and what is remembered of it.
pub fn secret() -> (Secret, [u8; 32]) {
    let secret = random_text(43);
    let digest = digest(secret.expose());
    (secret, digest)
}

/// Whether the request is of the browser that was told the secret of this digest.
pub fn is_same(headers: &HeaderMap, state: &Secret, known: &[u8; 32], public_url: &str) -> bool {
    let name = name(state, public_url);
    let said = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = said.flat_map(|text| Cookie::split_parse(text.to_owned())).filter_map(Result::ok);
    cookies.into_iter().any(|cookie| cookie.name() == name && digest(cookie.value()) == *known)
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Of each login its own, so that two at a time don't disturb each other. `__Host-` keeps other hosts of the same
/// domain, such as the sites of customers, from setting it.
fn name(state: &Secret, public_url: &str) -> String {
    let prefix = if is_https(public_url) { "__Host-" } else { "" };
    format!("{prefix}wpaas-sso-{}", hex::encode(&digest(state.expose())[..8]))
}

/// `Lax`, because the browser comes from the provider.
fn cookie(state: &Secret, value: String, public_url: &str) -> cookie::CookieBuilder<'static> {
    Cookie::build((name(state, public_url), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_https(public_url))
}

fn is_https(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_own_cookie_of_this_login_alone() {
        let (state, url) = (Secret::new("state".to_owned()), "https://a.example");
        let (secret, known) = secret();
        let told = keep(&state, &secret, url);
        for part in
            ["__Host-wpaas-sso-", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Path=/", "; Max-Age=600"]
        {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        let sent = told.split(';').next().unwrap();
        let is_same = |sent: &str, state: &str, url| {
            let headers = HeaderMap::from_iter([(COOKIE, sent.parse().unwrap())]);
            super::is_same(&headers, &Secret::new(state.to_owned()), &known, url)
        };
        assert!(is_same(sent, "state", url));
        assert!(is_same(&format!("a=b; {sent}"), "state", url));
        assert!(!is_same(sent, "other", url));
        assert!(!is_same(&format!("{sent}x"), "state", url));
        assert!(!is_same(&sent.replace("__Host-", ""), "state", url));
        assert!(!keep(&state, &secret, "http://127.0.0.1:1").contains("Secure"));
        assert!(forget(&state, url).contains("Max-Age=0"));
    }
}
