//! Signing in with a browser, at an identity provider: the browser brings a code to this machine, which is worth
//! something only together with what this process keeps to itself.

use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::distr::{Alphanumeric, SampleString};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::api::{Api, Credential};
use crate::config::{Global, Resolved};
use crate::failure::Failure;
use crate::output;
use crate::secret::Secret;

/// As long as the server remembers that somebody began.
const PATIENCE: Duration = Duration::from_mins(10);

/// A session's token, for whoever the account is linked to.
pub async fn token(
    global: &Global,
    address: &str,
    cid: Option<&str>,
    provider: &str,
) -> Result<Secret, Failure> {
    let ended = sign_in(global, address, cid, provider).await?;
    text(&ended, "/session/token").ok_or_else(|| {
        let account = output::cell(&ended, "/account");
        Failure::Other(format!(
            "{account} is linked to nobody: sign in by other means, then `wpaas login --sso {provider} --link`"
        ))
    })
}

/// What links the account, which is linked to nobody yet.
pub async fn ticket(global: &Global, provider: &str) -> Result<Secret, Failure> {
    let Resolved { api, .. } = global.resolve()?;
    let ended = sign_in(global, &api, None, provider).await?;
    text(&ended, "/ticket/ticket").ok_or_else(|| {
        Failure::Other(format!("{} signs somebody in already", output::cell(&ended, "/account")))
    })
}

fn text(answer: &Value, at: &str) -> Option<Secret> {
    Some(Secret::new(answer.pointer(at)?.as_str()?.to_owned()))
}

async fn sign_in(
    global: &Global,
    address: &str,
    cid: Option<&str>,
    provider: &str,
) -> Result<Value, Failure> {
    let api = Api::at(address, Credential::None, None, global.output)?;
    let mut url = start(&api, provider).await?;
    let failed = |error: std::io::Error| Failure::Other(format!("no port on 127.0.0.1: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let verifier = Alphanumeric.sample_string(&mut rand::rng(), 43);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    url.query_pairs_mut().append_pair("loopback", &port.to_string()).append_pair("challenge", &challenge);
    if let Some(cid) = cid {
        url.query_pairs_mut().append_pair("cid", cid);
    }
    eprintln!("open this in a browser on this machine, and sign in there:\n\n  {url}\n");
    let code = brought(listener).await?;
    let body = json!({"code": code, "verifier": verifier});
    api.call(Method::POST, &["sso", "finish"], &[], Some(body)).await
}

/// Where a browser begins.
async fn start(api: &Api, provider: &str) -> Result<Url, Failure> {
    let providers = api.get(&["sso"], &[]).await?;
    let providers = providers.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = providers.iter().find(|one| one["name"] == provider).and_then(|one| one["start"].as_str());
    found.and_then(|start| start.parse().ok()).ok_or_else(|| {
        let names: Vec<_> = providers.iter().filter_map(|one| one["name"].as_str()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Failure::Usage(format!("--sso {provider}: the server knows no such provider, but {known}"))
    })
}

#[derive(Deserialize)]
struct Brought {
    code: String,
}

/// What the browser brings.
async fn brought(listener: TcpListener) -> Result<String, Failure> {
    let (tell, mut told) = mpsc::channel(1);
    let page = get(async move |Query(Brought { code }): Query<Brought>| {
        // Whoever comes later is not waited for any more.
        drop(tell.send(code).await);
        "Go back to the terminal: it has what it needs.\n"
    });
    let (enough, stop) = oneshot::channel::<()>();
    let serve = axum::serve(listener, Router::new().route("/", page));
    let serving = tokio::spawn(serve.with_graceful_shutdown(async { drop(stop.await) }).into_future());
    let code = tokio::time::timeout(PATIENCE, told.recv()).await;
    let code = code.map_err(|_| Failure::TimedOut("no browser came back within ten minutes".to_owned()));
    // The page is sent before the process ends.
    drop(enough);
    drop(tokio::time::timeout(Duration::from_secs(1), serving).await);
    code?.ok_or_else(|| Failure::Other("the port for the browser was closed".to_owned()))
}
