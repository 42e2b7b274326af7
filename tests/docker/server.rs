//! A server of its own for a test, with an installation label of its own, and what a customer does with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::docker;
use crate::ports::free_port;

pub struct Server {
    child: Option<Child>,
    folder: TempDir,
    pub api: String,
    pub installation: String,
    pub operator: String,
    client: Client,
    /// `DOCKER_HOST`, where it is not the usual one.
    docker_host: Option<String>,
    /// The program that runs.
    program: PathBuf,
    git: Child,
    git_port: u16,
    /// Where nodes report to.
    pub report_port: u16,
    /// Sites that it keeps ready before anybody asks for one, from its next start on.
    pub spares: usize,
}

/// A customer with a user who may make sites.
#[derive(Clone)]
pub struct Tenant {
    pub cid: String,
    pub key: String,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    pub async fn start_with(docker_host: Option<String>) -> Self {
        Self::start_as(docker_host, "[dns]\nenabled = false\n[edge]\nenabled = false\n").await
    }

    /// With this much more in the configuration.
    pub async fn start_as(docker_host: Option<String>, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (api_port, report_port, git_port) = (free_port(), free_port(), free_port());
        let installation = format!("test-{}-{api_port}", std::process::id());
        std::fs::create_dir(folder.path().join("git")).unwrap();
        let endpoint = std::env::var("WPAAS_TEST_S3_ENDPOINT").ok();
        let endpoints = endpoint.map(|endpoint| format!("{endpoint:?}")).unwrap_or_default();
        let config = format!(
            "listen = \"127.0.0.1:{api_port}\"\nreport_listen = \"0.0.0.0:{report_port}\"\n\
             data = {:?}\n[code]\nallowed_prefixes = [\"git://127.0.0.1:{git_port}/\"]\n\
             endpoints = [{endpoints}]\n\
             [domains]\nverify = false\n[docker]\ninstallation = \"{installation}\"\n[log]\nfilter = \"info\"\n{more}",
            folder.path().join("data").to_str().unwrap()
        );
        std::fs::write(folder.path().join("server.toml"), config).unwrap();
        let git = git_daemon(folder.path(), git_port);
        let mut server = Self {
            child: None,
            api: format!("http://127.0.0.1:{api_port}"),
            installation,
            operator: String::new(),
            client: Client::new(),
            docker_host,
            folder,
            program: env!("CARGO_BIN_EXE_wpaas-server-under-test").into(),
            git,
            git_port,
            report_port,
            spares: 0,
        };
        server.run().await;
        server
    }

    /// Starts the server's process and waits until it answers.
    pub async fn run(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("server.log")).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.path("server.toml")).args(["--spares", &self.spares.to_string()]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        if let Some(host) = &self.docker_host {
            command.env("DOCKER_HOST", host);
        }
        self.child = Some(command.stdin(Stdio::null()).spawn().unwrap());
        let began = Instant::now();
        while !matches!(self.client.get(format!("{}/healthz", self.api)).send().await, Ok(r) if r.status() == 200)
        {
            assert!(began.elapsed() < Duration::from_secs(60), "the server does not start:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let token = std::fs::read_to_string(self.path("data/operator-token")).unwrap();
        token.trim().clone_into(&mut self.operator);
    }

    /// Starts it anew after a `kill -9`, with so many spares, and waits until they are up.
    pub async fn run_with_spares(&mut self, spares: usize) {
        self.kill();
        self.spares = spares;
        self.run().await;
        self.ready().await;
        let line = format!("wpaas_spares{{state=\"ready\"}} {spares}\n");
        self.until(&line, Duration::from_secs(60), async || {
            let metrics = self.client.get(format!("{}/metrics", self.api)).send().await.ok()?;
            metrics.text().await.ok()?.contains(&line).then_some(())
        })
        .await;
    }

    /// In its place, as of another version: its set-up of nodes has this text instead of that one, which is as long.
    pub async fn replace(&mut self, text: &str, instead: &str) {
        assert_eq!(text.len(), instead.len(), "nothing else moves in the program");
        let other = self.path("other-version");
        std::fs::copy(&self.program, &other).unwrap();
        let edit = format!("s/{text}/{instead}/");
        let edited = Command::new("sed").env("LC_ALL", "C").args(["-i", &edit]).arg(&other).status().unwrap();
        assert!(edited.success());
        self.kill();
        self.program = other;
        self.run().await;
        self.ready().await;
    }

    /// As `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// What a person looks at first.
    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Waits until `/readyz` says that sites can be made; the first server of all builds the images.
    pub async fn ready(&self) {
        self.until("ready", Duration::from_secs(1200), async || {
            let answer = self.client.get(format!("{}/readyz", self.api)).send().await.ok()?;
            let answer: Value = answer.json().await.ok()?;
            (answer["ready"] == true && answer["backend"]["ready"] == true).then_some(())
        })
        .await;
    }

    /// Asks until there is an answer; the test fails with the server's log after `patience`.
    pub async fn until<T>(&self, what: &str, patience: Duration, ask: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(
                began.elapsed() < patience,
                "after {patience:?} still not: {what}\n{}",
                self.last_lines()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
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

    /// A call that is to succeed.
    pub async fn done(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method.clone(), path, token, body).await;
        assert!(status < 300, "{method} {path}: {status} {answer}\n{}", self.log());
        answer
    }

    pub async fn tenant(&self, name: &str) -> Tenant {
        let body = json!({"name": name, "email": format!("{name}@example.com"), "username": format!("{name}@example.com"), "password": "correct horse battery"});
        let customer = self.done(Method::POST, "/customers", &self.operator, Some(body)).await;
        let cid = customer["cid"].as_str().unwrap().to_owned();
        let org = self.done(Method::GET, &format!("/orgs/{cid}/default"), &self.operator, None).await;
        let spaces = format!("/spaces/{}/default", org["id"].as_str().unwrap());
        let space = self.done(Method::GET, &spaces, &self.operator, None).await;
        let user = json!({"cid": cid, "username": "dev", "name": "Dev", "email": "dev@example.com", "password": "correct horse battery", "spaces": [space["id"]], "enabled": true});
        self.done(Method::POST, "/users", &self.operator, Some(user)).await;
        let path = format!("/users/{cid}/dev/keys");
        let key = self.done(Method::POST, &path, &self.operator, Some(json!({"label": "test"}))).await;
        Tenant { cid, key: key["key"].as_str().unwrap().to_owned() }
    }

    /// Makes a git repository with these files; returns its URL. A second call commits on top.
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        let work = self.path(&format!("work-{name}"));
        let bare = self.path(&format!("git/{name}.git"));
        let git = |folder: &Path, arguments: &[&str]| {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
            let output =
                Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
            assert!(
                output.status.success(),
                "git {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        if !work.exists() {
            std::fs::create_dir_all(&work).unwrap();
            git(&work, &["init", "--quiet", "--initial-branch=main"]);
            git(
                self.folder.path(),
                &["init", "--quiet", "--bare", "--initial-branch=main", bare.to_str().unwrap()],
            );
        }
        for (path, content) in files {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "--message", "files"]);
        git(&work, &["push", "--quiet", bare.to_str().unwrap(), "main"]);
        format!("git://127.0.0.1:{}/{name}.git", self.git_port)
    }

    /// Posts a site into the default space.
    pub async fn post_site(&self, tenant: &Tenant, body: Value) -> Site {
        let answer =
            self.done(Method::POST, &format!("/wpaas/{}/default", tenant.cid), &tenant.key, Some(body)).await;
        let name = answer["name"].as_str().unwrap();
        Site {
            path: format!("/wpaas/{}/default/{name}", tenant.cid),
            id: answer["id"].as_str().unwrap().to_owned(),
            tenant: tenant.clone(),
        }
    }

    pub async fn site(&self, site: &Site) -> Value {
        self.done(Method::GET, &site.path, &site.tenant.key, None).await
    }

    /// The site's parts, as its status tells.
    pub async fn parts(&self, site: &Site) -> Vec<String> {
        let answer = self.site(site).await;
        let parts = answer["status"]["parts"].as_array().unwrap();
        parts.iter().map(|part| part["part"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the site is ready and nothing is left to do; returns its URL.
    pub async fn settled(&self, site: &Site) -> String {
        let (began, patience) = (Instant::now(), Duration::from_secs(120));
        loop {
            let answer = self.site(site).await;
            if let Some(url) = settled_at(&answer) {
                return url;
            }
            assert!(
                began.elapsed() < patience,
                "after {patience:?} not ready and settled: {:#}\n{}",
                answer["status"],
                self.last_lines()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The names of all Docker objects of this installation.
    pub fn objects(&self) -> Vec<String> {
        let filter = format!("label=wpaas.installation={}", self.installation);
        let list = |kind: &str, also: &[&str], format: &str| {
            let arguments = [&[kind, "ls", "--filter", filter.as_str(), "--format", format], also].concat();
            docker(&arguments).lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut all = list("container", &["--all"], "{{.Names}}");
        all.extend(list("network", &[], "{{.Name}}"));
        all.extend(list("volume", &[], "{{.Name}}"));
        all.sort();
        all
    }

    /// The container of a part of a site.
    pub fn container(site: &Site, part: &str) -> String {
        let (by_site, by_part) =
            (format!("label=wpaas.site={}", site.id), format!("label=wpaas.part={part}"));
        docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &by_site, "--filter", &by_part])
    }
}

/// Everything that carries this label and nothing else.
fn remove_all(installation: &str) {
    let filter = format!("label=wpaas.installation={installation}");
    let remove = |list: &[&str], remove: &[&str]| {
        let found = docker(&[list, &["--quiet", "--filter", &filter]].concat());
        let found: Vec<_> = found.lines().collect();
        if !found.is_empty() {
            drop(Command::new("docker").args(remove).args(found).output());
        }
    };
    remove(&["container", "ls", "--all"], &["rm", "--force", "--volumes"]);
    remove(&["network", "ls"], &["network", "rm"]);
    remove(&["volume", "ls"], &["volume", "rm"]);
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in self.child.iter_mut().chain([&mut self.git]) {
            drop(child.kill());
            drop(child.wait());
        }
        remove_all(&self.installation);
    }
}

/// A site, as a test names it.
pub struct Site {
    pub path: String,
    pub id: String,
    pub tenant: Tenant,
}

/// The URL of a site that is ready, and of which nothing is left to do.
fn settled_at(site: &Value) -> Option<String> {
    let is = |kind: &str, wanted: &str| {
        let conditions = site["status"]["conditions"].as_array()?;
        conditions.iter().any(|c| c["type"] == kind && c["status"] == wanted).then_some(())
    };
    is("Ready", "True")?;
    is("Progressing", "False")?;
    is("Degraded", "False")?;
    let current = site["status"]["observed_generation"] == site["generation"];
    current.then(|| site["status"]["url"].as_str().unwrap().to_owned())
}

fn git_daemon(folder: &Path, port: u16) -> Child {
    let base = folder.join("git");
    let mut command = Command::new("git");
    command.args(["daemon", "--listen=127.0.0.1", "--reuseaddr", "--export-all"]);
    command.arg(format!("--port={port}")).arg(format!("--base-path={}", base.display())).arg(base);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
