//! A server of its own for each test, and what tests say to it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_core::converge::simulated::World;
use wpaas_core::converge::{ObjectId, Part};
use wpaas_core::id::SiteId;
use wpaas_server::config::{BackendKind, Flags, LogFormat, LogSettings, Settings};
use wpaas_server::{Server, telemetry};

/// Everything that any test of this process logged.
pub static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let log = Arc::<Mutex<Vec<u8>>>::default();
    let settings = LogSettings { format: LogFormat::Json, filter: "trace".to_owned() };
    let writer = Shared(log.clone());
    let subscriber = telemetry::subscriber(&settings, false, move || writer.clone()).unwrap();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

/// Passwords that the whole suite uses: they are in no log line and no answer of any test.
const SECRETS: [&str; 3] = [PASSWORD, "a fine password", CLIENT_SECRET];

/// What this installation proves itself with to identity providers.
pub const CLIENT_SECRET: &str = "a secret of the client";

/// Nothing that is logged has a password in it, nor the text of a key, of a session or of the operator's token.
fn check_secretless(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "a password is in what was logged or answered: {text}");
    }
    for prefix in ["wpk_", "wps_", "wpt_", "wpaas_operator_", "whsec_"] {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        let secret = |part: &str| part.len() >= 32 && part.bytes().take(32).all(fits);
        let found = text.split(prefix).skip(1).any(secret);
        assert!(!found, "the text of a key is in what was logged or answered: {text}");
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    /// Whoever logs may be a task whose panic nobody sees: all ends with it.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if std::panic::catch_unwind(|| check_secretless(&text)).is_err() {
            std::process::abort();
        }
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What runs, by the site, the part and the id that no other thing gets.
pub type Runs = BTreeSet<(SiteId, Part, ObjectId)>;

pub struct Api {
    pub server: Server,
    pub operator: String,
    pub folder: TempDir,
    client: Client,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem of this status and code.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{}", self.body);
        self
    }

    /// Checks the status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// A customer, and a user of it who may make sites in the default space.
pub struct Tenant {
    pub cid: String,
    pub key: String,
    pub org: String,
    pub space: String,
}

impl Api {
    pub async fn start() -> Self {
        Self::with(Flags::default()).await
    }

    pub async fn with(flags: Flags) -> Self {
        Self::in_folder(TempDir::new().unwrap(), flags).await
    }

    /// Another server of the same installation: it has the same keys and the same operator.
    pub async fn beside(&self, flags: Flags) -> Self {
        let folder = TempDir::new().unwrap();
        share(&self.data(), &folder.path().join("data"));
        Self::in_folder(folder, flags).await
    }

    /// A server over what is in the folder.
    pub async fn in_folder(folder: TempDir, flags: Flags) -> Self {
        Self::in_world(folder, flags, World::default()).await
    }

    /// A server over what is in the folder, and over what runs already.
    pub async fn in_world(folder: TempDir, flags: Flags, world: World) -> Self {
        LazyLock::force(&LOG);
        let local = Some("127.0.0.1:0".parse().unwrap());
        let data = Some(folder.path().join("data"));
        let backend = Some(BackendKind::Simulated);
        // Tests ask as fast as they can.
        let limits_principal_rate = flags.limits_principal_rate.or(Some(0));
        let flags = Flags {
            listen: flags.listen.or(local),
            report_listen: local,
            data,
            backend,
            limits_principal_rate,
            ..flags
        };
        let server = Server::start_in(Settings::load(flags).unwrap(), world).await.unwrap();
        let operator = std::fs::read_to_string(folder.path().join("data/operator-token")).unwrap();
        Self { server, operator: operator.trim().to_owned(), folder, client: Client::new() }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What runs.
    pub fn world(&self) -> World {
        self.server.simulated().unwrap().world()
    }

    pub fn runs(&self) -> Runs {
        let objects = self.server.simulated().unwrap().objects();
        objects.into_iter().map(|(site, object)| (site, object.part, object.id)).collect()
    }

    /// Waits until the zone has a name that begins so.
    pub async fn until_named(&self, name: &str) {
        let began = std::time::Instant::now();
        while !self.has_name(name) {
            assert!(began.elapsed().as_secs() < 30, "the zone has no {name}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Whether the zone has a name that begins so.
    pub fn has_name(&self, name: &str) -> bool {
        let zone = std::fs::read_to_string(self.data().join("dns/zone")).unwrap_or_default();
        zone.lines().any(|line| line.starts_with(&format!("{name}.")) && line.contains(" IN A "))
    }

    /// Waits until it is logged of a site that the store does not know it and that nothing was done to it.
    pub async fn until_left_alone(site: &str) {
        let began = std::time::Instant::now();
        let is_told = || {
            String::from_utf8_lossy(&LOG.lock().unwrap())
                .lines()
                .any(|line| line.contains(site) && line.contains("left alone"))
        };
        while !is_told() {
            assert!(began.elapsed().as_secs() < 60, "nobody tells of what runs for a site that is lost");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.server.address()))
    }

    pub fn report_request(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("http://{}{path}", self.server.report_address()))
    }

    pub async fn call(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        send(request).await
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.call(Method::GET, path, key, None).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call(Method::POST, path, key, Some(body)).await
    }

    pub async fn put(&self, path: &str, key: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, key, Some(body)).await
    }

    pub async fn delete(&self, path: &str, key: &str) -> Answer {
        self.call(Method::DELETE, path, key, None).await
    }

    /// Registers a customer; returns its id.
    pub async fn customer(&self, name: &str) -> String {
        let body = json!({"name": name, "email": format!("{name}@example.com"), "password": PASSWORD});
        let answer = self.post("/customers", &self.operator, body).await.is(201);
        answer.body["cid"].as_str().unwrap().to_owned()
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        let cid = self.customer(name).await;
        let org = self.get(&format!("/orgs/{cid}/default"), &self.operator).await.is(200);
        let org = org.body["id"].as_str().unwrap().to_owned();
        let space = self.get(&format!("/spaces/{org}/default"), &self.operator).await.is(200);
        let space = space.body["id"].as_str().unwrap().to_owned();
        let body = json!({"cid": cid, "name": "dev", "email": "dev@example.com", "spaces": [space]});
        let user = self.post("/users", &self.operator, body).await.is(201);
        let key = user.body["api_key"]["key"].as_str().unwrap().to_owned();
        Tenant { cid, key, org, space }
    }

    /// Asks until the answer does; each try is a whole request.
    pub async fn until(&self, path: &str, key: &str, does: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let answer = self.get(path, key).await;
            if does(&answer.body) {
                return answer.body;
            }
            assert!(began.elapsed().as_secs() < 30, "still {}", answer.body);
        }
    }
}

/// Makes a data folder for another server of the installation whose first data folder this is.
pub fn share(first: &Path, other: &Path) {
    std::fs::create_dir_all(other).unwrap();
    for what in ["keys", "releases", "operator-token"] {
        std::os::unix::fs::symlink(first.join(what), other.join(what)).unwrap();
    }
}

pub const PASSWORD: &str = "correct horse battery staple";

/// Sends it. Only what makes a key, or lets somebody in, is answered with one.
pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let lets_in = request.method() == Method::POST || request.url().path().starts_with("/sso");
    let response = client.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "a password was answered: {text}");
    if !lets_in || status >= 400 {
        check_secretless(&text);
    }
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

/// A site's request that is right.
pub fn site(name: &str) -> Value {
    json!({"name": name, "num_instances": 1, "admin_password": "a fine password"})
}
