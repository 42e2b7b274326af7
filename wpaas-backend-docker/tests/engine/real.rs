//! The real images. Building them takes minutes, so this is asked for with `WPAAS_TEST_DOCKER_IMAGES=1`.

use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wpaas_backend_docker::Images;
use wpaas_core::code::Layout;
use wpaas_core::converge::{
    Action, BootId, DatabaseOrder, FileContent, Mount, NodeFile, NodeRole, NodeSpec, Object, ObjectState,
    Part,
};
use wpaas_core::secret::{SecretName, SecretRef};

use crate::lab::{Lab, RELEASE, backend, mount, release, spec};

/// What a node said: the part and the report.
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
    let part = head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(value("Authorization: Bearer ReportToken(").len() > 5, "{head}");
    drop(connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    drop(said.send((part, serde_json::from_slice(&body).unwrap())));
}

fn text(path: &str, text: String) -> NodeFile {
    NodeFile { path: path.to_owned(), mode: 0o444, group: "root", content: FileContent::Text(text) }
}

fn gateway(address: &str) -> NodeSpec {
    let routes = "revision=ab12\nwordpress-0=ready\nwordpress-1=ready\ndatabase-0=ready\nend\n";
    let files = [text("routes", routes.to_owned()), text("authorities", format!("{address}\nend\n"))];
    NodeSpec { role: NodeRole::Gateway, restart: true, ..spec(&files) }
}

impl Lab {
    fn secret(&self, path: &str, name: SecretName, group: &'static str) -> NodeFile {
        let mode = if group == "root" { 0o400 } else { 0o440 };
        let content = FileContent::Secret(SecretRef { site: self.site, name, version: 1 });
        NodeFile { path: path.to_owned(), mode, group, content }
    }

    fn database(&self) -> NodeSpec {
        let files = [
            text("database.conf", "peers=database-0\nbuffer_pool=64M\n".to_owned()),
            self.secret("secrets/database-password", SecretName::DatabasePassword, "root"),
            self.secret("secrets/replication-password", SecretName::ReplicationPassword, "root"),
        ];
        let mounts = vec![mount(Part::DatabaseVolume(0), "/var/lib/mysql", false)];
        NodeSpec { role: NodeRole::Database, memory_mib: 256, mounts, ..spec(&files) }
    }

    fn wordpress(&self, address: &str, settings: &str, mounts: Vec<Mount>) -> NodeSpec {
        let conf = format!(
            "title=Lab\nurl=http://{address}\nadmin_user=admin\nadmin_email=admin@example.com\nadmin_version=1\n\
             {settings}cron=off\n"
        );
        let files = [
            text("wordpress.conf", conf),
            self.secret("secrets/database-password", SecretName::DatabasePassword, "www-data"),
            self.secret("secrets/salt", SecretName::Salt, "www-data"),
            self.secret("secrets/admin-hash", SecretName::AdminHash, "www-data"),
        ];
        NodeSpec { memory_mib: 256, restart: true, mounts, ..spec(&files) }
    }

    async fn make_node(&self, part: Part, spec: NodeSpec) -> Object {
        let begun = Instant::now();
        let object = self.make(part, Action::CreateNode(spec)).await;
        println!("{part} made in {:?}", begun.elapsed());
        object
    }
}

/// The first report of this node that is as wanted.
async fn until(
    said: &mut mpsc::UnboundedReceiver<Said>,
    node: &str,
    so: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let wait = async {
        loop {
            let (part, report) = said.recv().await.unwrap();
            if part == node && so(&report) {
                return report;
            }
            println!("  {part}: {report}");
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("no such report")
}

async fn status(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect((address, 80)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&Bytes::from(answer)).lines().next().unwrap_or_default().to_owned()
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
    let (sender, mut said) = mpsc::unbounded_channel();
    tokio::spawn(reports(listener, sender));
    let begun = Instant::now();
    lab.backend
        .ensure_images(&|line| println!("{:6.1} {line}", begun.elapsed().as_secs_f64()))
        .await
        .unwrap();
    println!("images after {:?}", begun.elapsed());

    let begun = Instant::now();
    let address = lab.network().await.address.unwrap().to_string();
    lab.make(Part::DatabaseVolume(0), Action::CreateVolume).await;
    lab.make(Part::UploadsVolume, Action::CreateVolume).await;
    let database = lab.make_node(Part::Database(0), lab.database()).await;
    let content = "/srv/wordpress/wp-content";
    let uploads = || mount(Part::UploadsVolume, &format!("{content}/uploads"), false);
    let stock = lab.wordpress(&address, "release=stock\nlayout=stock\n", vec![uploads()]);
    lab.make_node(Part::Wordpress(0), stock).await;
    lab.make_node(Part::Gateway(0), gateway(&address)).await;

    let waiting = until(&mut said, "database-0", |report| report["database"]["phase"] == "waiting").await;
    let boot = BootId::new(waiting["boot"].as_str().unwrap()).unwrap();
    let order =
        Action::Order { object: database.id.clone(), boot, order: DatabaseOrder::Found { number: 1 } };
    lab.apply(Part::Database(0), order).await.unwrap();
    println!("ordered after {:?}", begun.elapsed());
    until(&mut said, "wordpress-0", |report| report["wordpress"]["phase"] == "serving").await;
    println!("wordpress serves after {:?}", begun.elapsed());
    until(&mut said, "gateway-0", |report| report["gateway"]["servers"]["wordpress-0"] == "up").await;
    println!("gateway sees it after {:?}", begun.elapsed());
    assert_eq!(status(&address, "/").await, "HTTP/1.1 200 OK");
    println!("served after {:?}", begun.elapsed());

    let begun = Instant::now();
    lab.make(RELEASE, release(Layout::ContentWithoutTheme)).await;
    println!("release filled in {:?}", begun.elapsed());
    let settings = "release=sha256:0707\nlayout=content\n";
    let released = lab.wordpress(&address, settings, vec![mount(RELEASE, content, true), uploads()]);
    lab.make_node(Part::Wordpress(1), released).await;
    until(&mut said, "wordpress-1", |report| report["wordpress"]["phase"] == "serving").await;
    println!("the release serves after {:?}", begun.elapsed());

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
