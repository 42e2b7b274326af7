//! The real images. Building them takes minutes, so this is asked for with `WPAAS_TEST_DOCKER_IMAGES=1`.

use std::collections::HashMap;
use std::time::Instant;

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wpaas_backend_docker::Images;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{
    Action, Applied, Backend as _, BootId, DatabaseOrder, NodeSpec, Object, ObjectState, Part, ReleaseRef,
    RouteState, Routes, RunIntent, Step,
};
use wpaas_core::id::SiteId;
use wpaas_core::node::{self, CanonicalUrl, GatewayConfig, Purpose, WordpressSite};
use wpaas_core::site::DatabaseSize;

use crate::lab::{Lab, RELEASE, backend, release};
use crate::tls;

/// What a node said: whose it is, as `<site>/<part>`, and the report.
type Said = (String, serde_json::Value);

/// Takes reports, and checks that each node proves itself with its own token.
async fn reports(listener: TcpListener, said: mpsc::UnboundedSender<Said>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(report(connection, said.clone()));
    }
}

async fn report(connection: TcpStream, said: mpsc::UnboundedSender<Said>) {
    let mut connection = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let value =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let mut body = vec![0; value("Content-Length: ").parse().unwrap()];
    connection.read_exact(&mut body).await.unwrap();
    let node = head.split(' ').nth(1).unwrap().trim_start_matches("/reports/").to_owned();
    assert!(value("Authorization: Bearer ReportToken(").len() > 5, "{head}");
    drop(connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    drop(said.send((node, serde_json::from_slice(&body).unwrap())));
}

/// What is wanted of a site of one node a kind.
pub fn wanted() -> RunIntent {
    RunIntent {
        wordpress: 1,
        database: DatabaseSize::One,
        release: Some(ReleaseRef::Stock),
        candidate: None,
        refused: None,
        authorities: Vec::new(),
        previews: [].into(),
        redirects: [].into(),
        tls: wpaas_core::converge::TlsIntent::default(),
        home: None,
        title: "Lab".to_owned(),
        admin_user: "admin".parse().unwrap(),
        admin_email: "admin@example.com".parse().unwrap(),
        admin_version: 1,
        was_founded: false,
    }
}

impl Lab {
    async fn make_node(&self, part: Part, spec: NodeSpec) -> Object {
        let begun = Instant::now();
        let object = self.make(part, Action::CreateNode(spec)).await;
        println!("{part} made in {:?}", begun.elapsed());
        object
    }
}

/// The nodes of one site, as far as they were heard.
struct Heard {
    site: SiteId,
    said: mpsc::UnboundedReceiver<Said>,
    latest: HashMap<String, serde_json::Value>,
}

impl Heard {
    /// Listens until this node's last report is as wanted.
    async fn until(&mut self, part: &str, so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let node = format!("{}/{part}", self.site);
        let wait = async {
            loop {
                if let Some(report) = self.latest.get(&node).filter(|report| so(report)) {
                    return report.clone();
                }
                let (node, report) = self.said.recv().await.unwrap();
                println!("  {node}: {report}");
                self.latest.insert(node, report);
            }
        };
        tokio::time::timeout(std::time::Duration::from_mins(1), wait).await.expect("no such report")
    }
}

async fn status(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect((address, 80)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&Bytes::from(answer)).lines().next().unwrap_or_default().to_owned()
}

/// What this command says in a container.
async fn shell(lab: &Lab, container: &str, command: String) -> String {
    let options = ExecConfig {
        cmd: Some(vec!["bash".into(), "-c".into(), command]),
        attach_stdout: Some(true),
        ..ExecConfig::default()
    };
    let exec = lab.docker.create_exec(container, options).await.unwrap().id;
    let StartExecResults::Attached { output, .. } = lab.docker.start_exec(&exec, None).await.unwrap() else {
        panic!("no output")
    };
    let output: Vec<_> = output.try_collect().await.unwrap();
    output.iter().map(ToString::to_string).collect()
}

/// Whether a connection from this container is taken.
async fn reaches(lab: &Lab, container: &str, address: &str) -> bool {
    let connect = format!("timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/80' && echo taken || echo refused");
    let output = shell(lab, container, connect).await;
    assert!(["taken\n", "refused\n"].contains(&output.as_str()), "{output}");
    output == "taken\n"
}

/// The seed of a database is on disk once it serves; one that may not be counts for nothing.
async fn settles(lab: &Lab, heard: &mut Heard, database: &Object) {
    let (part, node) = (Part::Database(0), database.id.to_string());
    let mark = "/var/lib/mysql/wpaas-seeding";
    assert_eq!(shell(lab, &node, format!("test -e {mark} || echo gone")).await, "gone\n");
    assert_eq!(shell(lab, &node, format!("touch {mark} && echo again")).await, "again\n");
    lab.docker.kill_container(&node, None).await.unwrap();
    lab.until("it is stopped", async || lab.state(part).await == Some(ObjectState::Stopped)).await;
    lab.apply(part, Action::StartNode { object: database.id.clone() }).await.unwrap();
    let waits = |report: &serde_json::Value| report["database"]["phase"] == "waiting";
    let waiting = heard.until("database-0", waits).await;
    assert_eq!(waiting["database"]["empty"], true);
}

/// A node reaches its own site's gateway and no other site's.
async fn isolated(lab: &Lab, own: &str) {
    let step = |part, action| Step { site: SiteId::new(), ..lab.step(part, action) };
    let network = step(Part::Network, Action::CreateNetwork);
    let Applied::Present(other) = lab.backend.apply(&network).await.unwrap() else { panic!("no network") };
    let address = other.address().unwrap();
    let routes = Routes::default();
    let run = RunIntent { tls: tls::answering(), ..wanted() };
    let config = GatewayConfig::new(&run, Some((address, None)), &routes);
    let gateway = Action::CreateNode(node::gateway(0, &config));
    let gateway = Step { part: Part::Gateway(0), action: gateway, ..network };
    lab.backend.apply(&gateway).await.unwrap();
    // As it begins with what it is told, it answers an authority before anything else runs.
    lab.until("it answers", async || tls::answers(&address.to_string()).await).await;
    let node = lab.name(Part::Wordpress(0));
    assert!(reaches(lab, &node, own).await, "its own");
    assert!(!reaches(lab, &node, &address.to_string()).await, "another's");
}

#[tokio::test]
async fn a_site_of_the_real_images_serves() {
    if std::env::var_os("WPAAS_TEST_DOCKER_IMAGES").is_none() {
        println!("skipped: WPAAS_TEST_DOCKER_IMAGES=1 builds the real images");
        return;
    }
    Lab::run("real", |lab| async move { serves(&lab).await }).await;
}

async fn serves(stand_in: &Lab) {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let mut config = stand_in.config.clone();
    config.report_port = listener.local_addr().unwrap().port();
    config.images = Images::Built { prefix: "wpaas".to_owned(), base: "debian:trixie-slim".to_owned() };
    let lab = Lab { docker: stand_in.docker.clone(), backend: backend(&config), config, site: stand_in.site };
    let (sender, said) = mpsc::unbounded_channel();
    let mut heard = Heard { site: lab.site, said, latest: HashMap::new() };
    tokio::spawn(reports(listener, sender));
    let begun = Instant::now();
    lab.backend
        .ensure_images(&|line| println!("{:6.1} {line}", begun.elapsed().as_secs_f64()))
        .await
        .unwrap();
    println!("images after {:?}", begun.elapsed());

    let begun = Instant::now();
    let address = lab.network().await.address().unwrap();
    lab.make(Part::DatabaseVolume(0), Action::CreateVolume).await;
    lab.make(Part::UploadsVolume, Action::CreateVolume).await;
    let (site, run, url) = (lab.site, wanted(), CanonicalUrl::Address(address));
    let database = lab.make_node(Part::Database(0), node::database(site, 0)).await;
    let stock = WordpressSite::new(site, &run, Purpose::Visitors, ReleaseRef::Stock, url).spec(0);
    lab.make_node(Part::Wordpress(0), stock).await;
    let mut routes = Routes::default();
    for part in [Part::Wordpress(0), Part::Wordpress(1), Part::Database(0)] {
        routes.set(part, RouteState::Ready);
    }
    let config = GatewayConfig::new(&run, Some((address, None)), &routes);
    lab.make_node(Part::Gateway(0), node::gateway(0, &config)).await;
    let address = address.to_string();

    let waiting = heard.until("database-0", |report| report["database"]["phase"] == "waiting").await;
    let boot = BootId::new(waiting["boot"].as_str().unwrap()).unwrap();
    let order =
        Action::Order { object: database.id.clone(), boot, order: DatabaseOrder::Found { number: 1 } };
    lab.apply(Part::Database(0), order).await.unwrap();
    println!("ordered after {:?}", begun.elapsed());
    heard.until("wordpress-0", |report| report["wordpress"]["phase"] == "serving").await;
    println!("wordpress serves after {:?}", begun.elapsed());
    heard.until("gateway-0", |report| report["gateway"]["servers"]["wordpress-0"] == "up").await;
    println!("gateway sees it after {:?}", begun.elapsed());
    assert_eq!(status(&address, "/").await, "HTTP/1.1 200 OK");
    println!("served after {:?}", begun.elapsed());

    isolated(&lab, &address).await;
    tls::is_served(&lab, &address, &routes).await;

    let begun = Instant::now();
    lab.make(RELEASE, release(Layout::ContentWithoutTheme)).await;
    println!("release filled in {:?}", begun.elapsed());
    let stored =
        ReleaseRef::Stored { digest: Digest::from_sha256([7; 32]), layout: Layout::ContentWithoutTheme };
    lab.make_node(Part::Wordpress(1), WordpressSite::new(site, &run, Purpose::Visitors, stored, url).spec(1))
        .await;
    heard.until("wordpress-1", |report| report["wordpress"]["phase"] == "serving").await;
    println!("the release serves after {:?}", begun.elapsed());
    settles(&lab, &mut heard, &database).await;

    let begun = Instant::now();
    for object in lab.objects().await.into_iter().filter(|object| object.part.is_node()) {
        assert_eq!(object.state, ObjectState::Ready, "{}", object.part);
        lab.apply(object.part, Action::Remove { object: object.id }).await.unwrap();
    }
    println!("removals asked for after {:?}", begun.elapsed());
    for part in [Part::Gateway(0), Part::Wordpress(0), Part::Wordpress(1), Part::Database(0)] {
        lab.until("it is gone", async || lab.object(part).await.is_none()).await;
        println!("{part} gone after {:?}", begun.elapsed());
    }
}
