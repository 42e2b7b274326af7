//! The API over HTTP.

use std::time::Duration;

use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect};
use serde_json::Value;

use crate::config::{Global, Resolved};
use crate::failure::Failure;
use crate::output::Output;
use crate::problem::Problem;
use crate::secret::Secret;

/// An answer is waited for so long; longer than the server takes before it gives up itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// A stream that is silent for so long is dead: the server says something every 15 s.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);

/// What is sent with a path.
pub type Query<'a> = &'a [(&'a str, String)];

/// A server, and who asks it.
#[derive(Debug)]
pub struct Api {
    client: Client,
    base: Url,
    credential: Credential,
    cid: Option<String>,
    /// How to print what it answers.
    pub output: Output,
}

/// What is presented.
#[derive(Debug)]
pub enum Credential {
    /// Nothing.
    None,
    /// An API key.
    Token(Secret),
    /// A user name and a password.
    Password(String, Secret),
}

fn items_of(page: &mut Value) -> Vec<Value> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

impl Api {
    /// As the command line, the environment and `login` say.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let Resolved { api, token, cid } = global.resolve()?;
        Self::at(&api, token.map_or(Credential::None, Credential::Token), cid, global.output)
    }

    /// At this address.
    pub fn at(
        api: &str,
        credential: Credential,
        cid: Option<String>,
        output: Output,
    ) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::Usage(format!("--api {api}: {why}; write it as http://127.0.0.1:8080"));
        let base: Url = api.parse().map_err(|_| wrong("is no URL"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("must begin with http:// or https://"));
        }
        let client = Client::builder()
            .user_agent(concat!("wpaas/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Failure::Other(cause(&error)))?;
        Ok(Self { client, base, credential, cid, output })
    }

    /// The customer's id, which the server tells where nobody else does.
    pub async fn cid(&self) -> Result<String, Failure> {
        if let Some(cid) = &self.cid {
            return Ok(cid.clone());
        }
        let orgs = self.call(Method::GET, &["orgs"], &[("limit", "1".to_owned())], None).await;
        let own =
            orgs.as_ref().ok().and_then(|orgs| orgs.pointer("/items/0/cid")?.as_str().map(str::to_owned));
        match (own, orgs) {
            (Some(cid), _) => Ok(cid),
            (None, Err(Failure::Refused(problem))) if problem.status != 401 => {
                Err(Failure::Usage("say which customer: --cid, or WPAAS_CID".to_owned()))
            }
            (None, Err(other)) => Err(other),
            (None, Ok(_)) => {
                Err(Failure::Usage("you may see no org: say which customer with --cid".to_owned()))
            }
        }
    }

    /// One thing, or one page.
    pub async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Value, Failure> {
        self.call(Method::GET, path, query, None).await
    }

    /// A list that has no pages.
    pub async fn list_whole(&self, path: &[&str]) -> Result<Vec<Value>, Failure> {
        Ok(items_of(&mut self.get(path, &[]).await?))
    }

    /// All pages of a list.
    pub async fn list(&self, path: &[&str], query: Query<'_>) -> Result<Vec<Value>, Failure> {
        let (mut items, mut query) = (Vec::new(), query.to_vec());
        query.push(("limit", "500".to_owned()));
        loop {
            let mut page = self.get(path, &query).await?;
            items.extend(items_of(&mut page));
            let Some(next) = page.get("next").and_then(Value::as_str) else { return Ok(items) };
            query.retain(|(name, _)| *name != "cursor");
            query.push(("cursor", next.to_owned()));
        }
    }

    /// Any request that is answered at once.
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.request(method, path, query).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = self.send(request).await?;
        let text = response.text().await.map_err(|error| self.failed(&error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let not_ours = |_| Failure::Other(format!("what answers at {} is not a wpaas server", self.base));
        serde_json::from_str(&text).map_err(not_ours)
    }

    /// A stream of events after the one of this id.
    pub async fn stream(
        &self,
        path: &[&str],
        query: Query<'_>,
        last: Option<&str>,
    ) -> Result<Response, Failure> {
        let mut request = self.request(Method::GET, path, query).header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.send(request).await
    }

    fn request(&self, method: Method, path: &[&str], query: Query<'_>) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.client.request(method, url);
        match &self.credential {
            Credential::None => request,
            Credential::Token(token) => request.bearer_auth(token.expose()),
            Credential::Password(name, password) => request.basic_auth(name, Some(password.expose())),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::Refused(Box::new(problem(response).await)))
    }

    fn failed(&self, error: &reqwest::Error) -> Failure {
        let text = format!("no answer from {}: {}", self.base, cause(error));
        if error.is_timeout() && !error.is_connect() {
            Failure::TimedOut(text)
        } else {
            Failure::Unreachable(text)
        }
    }
}

/// What the server says, or what can be said of an answer that is none of ours.
async fn problem(response: Response) -> Problem {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.text().await.unwrap_or_default();
    let mut problem: Problem = serde_json::from_str(&text).unwrap_or_default();
    problem.status = status.as_u16();
    problem.retry_after = retry_after;
    if problem.title.is_empty() {
        problem.title = status.to_string();
        problem.detail = String::from("the answer is not a wpaas server's; is --api right?");
    }
    problem
}

/// What is at the bottom of an error: what went wrong for the system, as "Connection refused".
fn cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
