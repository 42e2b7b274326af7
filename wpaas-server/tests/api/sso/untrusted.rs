//! What is not to the letter what the provider says of this login is not believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::browser::{approve, begin, come_back, sign_in};
use super::provider::{Provider, Tweaks, Which};
use super::{START, open_to};
use crate::harness::LOG;

/// The token with another algorithm and no signature.
fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"none"}"#))
}

/// Signed with what the client knows, too.
fn of_the_client(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    format!("{}.{claims}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#))
}

/// Whose claims say something else than what was signed.
fn forged(token: &str) -> String {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["sub"] = "somebody-else".into();
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[tokio::test]
async fn what_the_provider_did_not_say_of_this_login_is_not_believed() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "").await;
    sign_in(&api, START, "gus").await.is(200);
    let refused = async |what: &str, tweaks: Tweaks| {
        let login = begin(&api, START).await;
        let login = match what {
            "another nonce" => login.with("nonce", "another-nonce"),
            "no nonce" => login.without("nonce"),
            _ => login,
        };
        let login = match &tweaks.client {
            Some(client) => login.with("client_id", client),
            None => login,
        };
        provider.tweak(tweaks.clone());
        let back = approve(&login, "gus").await;
        let answer = come_back(&api, &back, login.kept()).await;
        assert_eq!(answer.status, 502, "{what}: {}", answer.body);
        answer.is_problem(502, "sso_untrusted");
        provider.tweak(Tweaks::default());
    };
    let some = |text: &str| Some(text.to_owned());
    refused("another nonce", Tweaks::default()).await;
    refused("no nonce", Tweaks::default()).await;
    refused("another issuer", Tweaks { host: some("evil.example"), ..Tweaks::default() }).await;
    refused("another audience", Tweaks { client: some("them"), ..Tweaks::default() }).await;
    refused("a key that is not published", Tweaks { signs: Which::Other, ..Tweaks::default() }).await;
    refused("an expired token", Tweaks { signs: Which::Late, keys: Which::Late, ..Tweaks::default() }).await;
    refused("no signature", Tweaks { token: Some(unsigned), ..Tweaks::default() }).await;
    refused("a symmetric signature", Tweaks { token: Some(of_the_client), ..Tweaks::default() }).await;
    refused("other claims", Tweaks { token: Some(forged), ..Tweaks::default() }).await;
    sign_in(&api, START, "gus").await.is(200);
}

#[tokio::test]
async fn new_keys_are_learnt_when_they_are_met() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "").await;
    sign_in(&api, START, "hal").await.is(200);
    provider.tweak(Tweaks { signs: Which::Other, keys: Which::Other, ..Tweaks::default() });
    sign_in(&api, START, "hal").await.is(200);
    // What the old one signs is worth nothing any more.
    provider.tweak(Tweaks { keys: Which::Other, ..Tweaks::default() });
    sign_in(&api, START, "hal").await.is_problem(502, "sso_untrusted");
}

#[tokio::test]
async fn a_provider_that_is_down_or_calls_itself_otherwise_is_not_gone_to() {
    let Some(provider) = Provider::start().await else { return };
    provider.tweak(Tweaks { down: true, ..Tweaks::default() });
    let api = open_to(&provider, "").await;
    let down = api.get(START, "").await;
    assert!(!down.is_problem(503, "sso_unavailable").header("retry-after").is_empty());
    provider.tweak(Tweaks { issuer: Some("https://evil.example".to_owned()), ..Tweaks::default() });
    api.get(START, "").await.is_problem(502, "sso_untrusted");
    provider.tweak(Tweaks::default());
    sign_in(&api, START, "ivy").await.is(200);
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    assert!(
        log.contains("no single sign-on") && log.contains("https://evil.example"),
        "the operator is told why"
    );
}
