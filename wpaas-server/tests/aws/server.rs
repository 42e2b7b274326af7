//! The program as a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::free_port;

pub struct Server {
    child: Child,
    folder: TempDir,
    api: String,
    operator: String,
    client: Client,
}

/// A customer with a user who may make sites.
pub struct Tenant {
    pub cid: String,
    key: String,
}

impl Server {
    /// With this configuration of AWS, in which `http://REPORTS` is where it takes reports, and a domain, and these
    /// variables besides those that keep the SDK to itself.
    pub async fn start(domain: &str, aws: &str, variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let [api, reports] = [(); 2].map(|()| free_port());
        let config = format!(
            "backend = \"aws\"\nlisten = \"127.0.0.1:{api}\"\nreport_listen = \"127.0.0.1:{reports}\"\n\
             data = {:?}\ndomain = \"{domain}\"\n[dns]\nenabled = false\n{}",
            folder.path().join("data").to_str().unwrap(),
            aws.replace("http://REPORTS", &format!("http://127.0.0.1:{reports}"))
        );
        let file = folder.path().join("server.toml");
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(folder.path().join("server.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wpaas-server"));
        command.arg("--config").arg(file).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/nowhere");
        command.env("AWS_SHARED_CREDENTIALS_FILE", "/nowhere").envs(variables.iter().copied());
        let mut server = Self {
            child: command.spawn().unwrap(),
            folder,
            api: format!("http://127.0.0.1:{api}"),
            operator: String::new(),
            client: Client::new(),
        };
        let healthz = format!("{}/healthz", server.api);
        let answers = async || (server.client.get(&healthz).send().await.ok()?.status() == 200).then_some(());
        server.until("it answers", answers).await;
        let token = std::fs::read_to_string(server.path("data/operator-token")).unwrap();
        token.trim().clone_into(&mut server.operator);
        server
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// Asks until there is an answer.
    pub async fn until<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "still not: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.api)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    async fn done(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method.clone(), path, token, body).await;
        assert!(status < 300, "{method} {path}: {status} {answer}\n{}", self.log());
        answer
    }

    /// What `/readyz` says of the backend; `None` while that is that nobody has asked yet.
    pub async fn ready(&self) -> Option<Result<(), String>> {
        let (_, answer) = self.call(Method::GET, "/readyz", &self.operator, None).await;
        if answer["backend"]["ready"] == true {
            return Some(Ok(()));
        }
        let reason = answer["backend"]["reason"].as_str()?.to_owned();
        let early = reason.contains("nobody has looked") || reason.contains("was not asked");
        (!early).then_some(Err(reason))
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        let mail = format!("{name}@example.com");
        let password = "correct horse battery";
        let body = json!({"name": name, "email": mail, "username": mail, "password": password});
        let customer = self.done(Method::POST, "/customers", &self.operator, Some(body)).await;
        let cid = customer["cid"].as_str().unwrap().to_owned();
        let org = self.done(Method::GET, &format!("/orgs/{cid}/default"), &self.operator, None).await;
        let spaces = format!("/spaces/{}/default", org["id"].as_str().unwrap());
        let space = self.done(Method::GET, &spaces, &self.operator, None).await;
        let user = json!({"cid": cid, "username": "dev", "name": "Dev", "email": "dev@example.com",
            "password": password, "spaces": [space["id"]], "enabled": true});
        self.done(Method::POST, "/users", &self.operator, Some(user)).await;
        let keys = format!("/users/{cid}/dev/keys");
        let key = self.done(Method::POST, &keys, &self.operator, Some(json!({"label": "test"}))).await;
        Tenant { cid, key: key["key"].as_str().unwrap().to_owned() }
    }

    /// Posts a site into the default space; returns its path.
    pub async fn post_site(&self, tenant: &Tenant, body: Value) -> String {
        let sites = format!("/wpaas/{}/default", tenant.cid);
        let answer = self.done(Method::POST, &sites, &tenant.key, Some(body)).await;
        format!("{sites}/{}", answer["name"].as_str().unwrap())
    }

    pub async fn site(&self, tenant: &Tenant, path: &str) -> Value {
        self.done(Method::GET, path, &tenant.key, None).await
    }

    pub async fn delete(&self, tenant: &Tenant, path: &str) {
        self.done(Method::DELETE, &format!("{path}?grace=0"), &tenant.key, None).await;
    }

    /// The status of a condition and what it says, once the site has it.
    pub async fn condition(&self, tenant: &Tenant, path: &str, kind: &str) -> Option<(String, String)> {
        let site = self.site(tenant, path).await;
        let conditions = site["status"]["conditions"].as_array()?.clone();
        let found = conditions.iter().find(|condition| condition["type"] == kind)?;
        Some((found["status"].as_str()?.to_owned(), found["message"].as_str().unwrap_or_default().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
