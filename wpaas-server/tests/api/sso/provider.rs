//! An identity provider that this project did not write (oidc-provider-mock), behind a proxy that can alter what it
//! says. The proxy's address is the issuer, so that each test has an issuer of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A process of it, with a key of its own.
pub struct Mock {
    port: u16,
    /// Ends with its standard input, and so with this process.
    _child: Child,
}

/// One whose tokens are good, one with another key, and one whose tokens have expired when they come.
pub struct Mocks {
    good: Mock,
    other: Mock,
    late: Mock,
}

/// Nothing where `WPAAS_TEST_OIDC_PYTHON` names no Python that has the mock.
static MOCKS: LazyLock<Option<Mocks>> = LazyLock::new(|| {
    let python = std::env::var("WPAAS_TEST_OIDC_PYTHON").ok()?;
    let start = |age| Mock::start(&python, age);
    Some(Mocks { good: start("3600"), other: start("3600"), late: start("-60") })
});

impl Mock {
    fn start(python: &str, age: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/sso/mock.py");
        let mut command = Command::new(python);
        command.args([script, age]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Self { port: said.trim().parse().unwrap(), _child: child }
    }
}

/// Which of the mocks is asked.
#[derive(Debug, Clone, Copy, Default)]
pub enum Which {
    #[default]
    Good,
    Other,
    Late,
}

/// How what is asked and answered is altered.
#[derive(Debug, Clone, Default)]
pub struct Tweaks {
    /// Who signs.
    pub signs: Which,
    /// Whose keys are published.
    pub keys: Which,
    /// What the provider calls itself in what it says of itself.
    pub issuer: Option<String>,
    /// The host that the token is asked of, and so its issuer.
    pub host: Option<String>,
    /// The client that the token is asked for, and so its audience.
    pub client: Option<String>,
    /// Replaces the ID token.
    pub token: Option<fn(&str) -> String>,
    /// It only fails.
    pub down: bool,
}

/// The provider as the server sees it.
#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    pub tweaks: Arc<Mutex<Tweaks>>,
    /// The last request for a token: how the client proved itself, and its form.
    pub asked: Arc<Mutex<(String, String)>>,
}

impl Provider {
    /// Nothing where there is no mock.
    pub async fn start() -> Option<Self> {
        if tokio::task::spawn_blocking(|| MOCKS.is_none()).await.unwrap() {
            println!("skipped: WPAAS_TEST_OIDC_PYTHON names no Python with oidc-provider-mock");
            return None;
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let provider =
            Self { issuer: format!("http://{address}"), tweaks: Arc::default(), asked: Arc::default() };
        let routes = Router::new().fallback(forward).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Some(provider)
    }

    pub fn tweak(&self, tweaks: Tweaks) {
        *self.tweaks.lock().unwrap() = tweaks;
    }

    /// Somebody with an account there.
    pub async fn person(&self, subject: &str, claims: Value) {
        for which in [Which::Good, Which::Other, Which::Late] {
            let url = format!("{}/users/{subject}", at(which));
            let answer = reqwest::Client::new().put(url).json(&claims).send().await.unwrap();
            assert_eq!(answer.status(), 204);
        }
    }
}

fn at(which: Which) -> String {
    let mocks = MOCKS.as_ref().unwrap();
    let mock = match which {
        Which::Good => &mocks.good,
        Which::Other => &mocks.other,
        Which::Late => &mocks.late,
    };
    format!("http://127.0.0.1:{}", mock.port)
}

async fn forward(State(provider): State<Provider>, request: Request) -> Response {
    let tweaks = provider.tweaks.lock().unwrap().clone();
    if tweaks.down {
        return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().as_str();
    let is_token = path == "/oauth2/token";
    let which = if path == "/jwks" { tweaks.keys } else { tweaks.signs };
    let own = parts.headers[HOST].to_str().unwrap().to_owned();
    let host = tweaks.host.clone().filter(|_| is_token).unwrap_or(own);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut forwarded = http.request(parts.method, format!("{}{path}", at(which))).header(HOST, host);
    let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if let Some(kind) = text(CONTENT_TYPE) {
        forwarded = forwarded.header(CONTENT_TYPE, kind);
    }
    if is_token {
        let form = String::from_utf8(body.to_vec()).unwrap();
        *provider.asked.lock().unwrap() = (text(AUTHORIZATION).unwrap_or_default(), form);
    }
    if let Some(mut secret) = text(AUTHORIZATION) {
        if let Some(client) = &tweaks.client {
            secret = format!("Basic {}", STANDARD.encode(format!("{client}:any")));
        }
        forwarded = forwarded.header(AUTHORIZATION, secret);
    }
    let answer = forwarded.body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = altered(path, answer.bytes().await.unwrap(), &tweaks);
    let kept = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let kept = kept.filter(|(name, _)| [CONTENT_TYPE.as_str(), "location"].contains(&name.as_str()));
    (status, kept.collect::<axum::http::HeaderMap>(), body).into_response()
}

fn altered(path: &str, body: Bytes, tweaks: &Tweaks) -> Bytes {
    let Ok(mut json) = serde_json::from_slice::<Value>(&body) else { return body };
    if let (true, Some(issuer)) = (path.starts_with("/.well-known"), &tweaks.issuer) {
        json["issuer"] = issuer.as_str().into();
    }
    if let (Some(alter), Some(token)) = (tweaks.token, json["id_token"].as_str()) {
        json["id_token"] = alter(token).into();
    }
    json.to_string().into()
}
