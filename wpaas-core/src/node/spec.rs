use std::fmt::Write as _;
use std::net::IpAddr;

use crate::code::Layout;
use crate::converge::{
    Candidate, FileContent, Fingerprint, Mount, NodeFile, NodeRole, NodeSpec, Part, ReleaseRef, RouteState,
    Routes, RunIntent,
};
use crate::id::SiteId;
use crate::secret::{SecretName, SecretRef};

const WWW_DATA: &str = "www-data";

/// Database node *n* of a site: the same whatever the number of nodes, so that growing replaces none.
#[must_use]
pub fn database(site: SiteId, n: u8) -> NodeSpec {
    let peers: Vec<_> = (0..3).map(|n| Part::Database(n).to_string()).collect();
    let files = vec![
        text("database.conf", format!("peers={}\nbuffer_pool=64M\n", peers.join(","))),
        secret("secrets/database-password", "root", site, SecretName::DatabasePassword, 1),
    ];
    let mounts = vec![mount(Part::DatabaseVolume(n), "/var/lib/mysql", false)];
    node(NodeRole::Database, files, &[], mounts, 512, false)
}

/// The gateway: its routes and names change while it runs and are not part of what it is.
#[must_use]
pub fn gateway(_n: u8, config: &GatewayConfig) -> NodeSpec {
    let mut spec = node(NodeRole::Gateway, Vec::new(), &[], Vec::new(), 128, true);
    spec.files = config.files();
    spec
}

/// What a gateway is told: servers and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Names this configuration; the gateway reports it once it follows.
    pub revision: String,
    routes: String,
    authorities: String,
}

impl GatewayConfig {
    /// For these servers, and the names and the address of the site.
    #[must_use]
    pub fn new(run: &RunIntent, address: Option<(IpAddr, Option<u16>)>, routes: &Routes) -> Self {
        let mut authorities = run.authorities.clone();
        if let Some((ip, port)) = address {
            authorities.push(ip.to_string());
            authorities.extend(
                port.iter().flat_map(|port| [format!("127.0.0.1:{port}"), format!("localhost:{port}")]),
            );
        }
        let mut servers = String::new();
        for (part, state) in routes.iter() {
            let state = match state {
                RouteState::Ready => "ready",
                RouteState::Drain => "drain",
            };
            let _infallible = writeln!(servers, "{part}={state}");
        }
        authorities.extend(run.redirects.iter().map(|(from, to)| format!("{from} {to}")));
        for (part, names) in routes.previews() {
            let _infallible = writeln!(servers, "{part}=preview {}", names.join(" "));
            authorities.extend_from_slice(names);
        }
        let authorities = format!("{}\nend\n", authorities.join("\n"));
        let revision = Fingerprint::of([servers.as_str(), &authorities]).to_string();
        let routes = format!("revision={revision}\n{servers}end\n");
        Self { revision, routes, authorities }
    }

    /// As the gateway reads it; the routes last, because they carry the revision.
    #[must_use]
    pub fn files(&self) -> Vec<NodeFile> {
        vec![text("authorities", self.authorities.clone()), text("routes", self.routes.clone())]
    }
}

/// What a WordPress node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The site's visitors.
    Visitors,
    /// To find out whether this candidate does what a WordPress does.
    Trial(Candidate),
    /// To show a release under another name.
    Preview,
}

/// What all WordPress nodes of a site that are there for the same share.
#[derive(Debug, Clone)]
pub struct WordpressSite {
    /// Of every node.
    pub fingerprint: Fingerprint,
    /// Parts that must be there first.
    pub needs: Vec<Part>,
    spec: NodeSpec,
    live: Vec<NodeFile>,
}

impl WordpressSite {
    /// Of this site, with this release, calling itself by this URL.
    #[must_use]
    pub fn new(site: SiteId, run: &RunIntent, purpose: Purpose, release: ReleaseRef, url: &str) -> Self {
        let name = release.to_string();
        let (layout, root, mounts) = served(release);
        let live = vec![
            secret("secrets/admin-hash", WWW_DATA, site, SecretName::AdminHash, run.admin_version),
            text("wordpress.conf", wordpress_conf(run, purpose, url, &name, layout)),
        ];
        let files = vec![
            secret("secrets/database-password", WWW_DATA, site, SecretName::DatabasePassword, 1),
            secret("secrets/salt", WWW_DATA, site, SecretName::Salt, 1),
        ];
        let mut needs = vec![Part::Network, Part::UploadsVolume];
        needs.extend(mounts.iter().map(|mount| mount.part));
        let mut mounts = mounts;
        mounts.push(mount(Part::UploadsVolume, &format!("{root}/wp-content/uploads"), false));
        let apart = match purpose {
            Purpose::Visitors => None,
            Purpose::Trial(candidate) => Some(candidate.id.to_string()),
            Purpose::Preview => Some("preview".to_owned()),
        };
        let also: Vec<&str> = [url, &name].into_iter().chain(apart.as_deref()).collect();
        let mut spec = node(NodeRole::Wordpress, files, &also, mounts, 512, true);
        spec.files.extend(live.clone());
        Self { fingerprint: spec.fingerprint, needs, spec, live }
    }

    /// The node in this slot: slots have no identity.
    #[must_use]
    pub fn spec(&self, _slot: u8) -> NodeSpec {
        self.spec.clone()
    }

    /// What a running node can be given anew.
    #[must_use]
    pub fn live_files(&self) -> Vec<NodeFile> {
        self.live.clone()
    }

    /// The same, for a node that is to take a dump and make the database one of this schema.
    #[must_use]
    pub fn upgrading(&self, schema: u64) -> Vec<NodeFile> {
        let mut files = self.live_files();
        for file in &mut files {
            if let FileContent::Text(conf) = &mut file.content {
                *conf = conf.replace("\nend\n", &format!("\nupgrade={schema}\nend\n"));
            }
        }
        files
    }
}

/// The URL a site calls itself by: its home, else its address. `None` before it has one.
#[must_use]
pub fn canonical_url(run: &RunIntent, address: Option<(IpAddr, Option<u16>)>) -> Option<String> {
    match (&run.home, address) {
        (Some(authority), _) => Some(format!("http://{authority}")),
        (None, Some((_, Some(port)))) => Some(format!("http://127.0.0.1:{port}")),
        (None, Some((IpAddr::V4(ip), None))) => Some(format!("http://{ip}")),
        (None, Some((IpAddr::V6(ip), None))) => Some(format!("http://[{ip}]")),
        (None, None) => None,
    }
}

/// Layout, document root and mounts of a release.
fn served(release: ReleaseRef) -> (&'static str, &'static str, Vec<Mount>) {
    const STOCK: &str = "/srv/wordpress";
    let mounted = |path| release.part().map(|part| mount(part, path, true)).into_iter().collect();
    match release {
        ReleaseRef::Stock => ("stock", STOCK, Vec::new()),
        ReleaseRef::Stored { layout: Layout::Content | Layout::ContentWithoutTheme, .. } => {
            ("content", STOCK, mounted("/srv/wordpress/wp-content"))
        }
        ReleaseRef::Stored { layout: Layout::Tree, .. } => ("tree", "/srv/release", mounted("/srv/release")),
    }
}

fn wordpress_conf(run: &RunIntent, purpose: Purpose, url: &str, release: &str, layout: &str) -> String {
    let RunIntent { title, admin_user, admin_email, admin_version, .. } = run;
    // One line a value: a title can't smuggle in another.
    let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let switch = |on| if on { "on" } else { "off" };
    let cron = switch(purpose == Purpose::Visitors);
    let trial = match purpose {
        Purpose::Trial(Candidate { id, restores, .. }) => {
            let restores = restores.map(|before| format!("restore={before}\n")).unwrap_or_default();
            format!("trial=on\ncandidate={id}\n{restores}")
        }
        Purpose::Visitors | Purpose::Preview => "trial=off\n".to_owned(),
    };
    format!(
        "title={title}\nurl={url}\nadmin_user={admin_user}\nadmin_email={admin_email}\n\
         admin_version={admin_version}\nrelease={release}\nlayout={layout}\ncron={cron}\n{trial}end\n"
    )
}

/// A node whose fingerprint covers its role and what that is made of, its files, mounts and sizes, and these
/// texts.
fn node(
    role: NodeRole,
    files: Vec<NodeFile>,
    also: &[&str],
    mounts: Vec<Mount>,
    memory_mib: u32,
    restart: bool,
) -> NodeSpec {
    let mounted: Vec<_> = mounts
        .iter()
        .map(|Mount { part, path, read_only }| {
            // Which volume a database node has follows from its number.
            let part = if matches!(part, Part::DatabaseVolume(_)) { String::new() } else { part.to_string() };
            format!("{part} {path} {read_only}")
        })
        .collect();
    let fixed =
        [role.to_string(), NodeFile::fingerprint(&files).to_string(), format!("{memory_mib} {restart}")];
    let texts = fixed.iter().chain(&mounted).map(String::as_str).chain(also.iter().copied());
    let texts = texts.chain([super::role_digest(role)]);
    let fingerprint = Fingerprint::of(texts);
    NodeSpec { role, fingerprint, files, mounts, memory_mib, restart }
}

fn text(path: &str, text: String) -> NodeFile {
    NodeFile { path: path.into(), mode: 0o444, group: "root", content: FileContent::Text(text) }
}

fn secret(path: &str, group: &'static str, site: SiteId, name: SecretName, version: u64) -> NodeFile {
    let mode = if group == "root" { 0o400 } else { 0o440 };
    let content = FileContent::Secret(SecretRef { site, name, version });
    NodeFile { path: path.into(), mode, group, content }
}

fn mount(part: Part, path: &str, read_only: bool) -> Mount {
    Mount { part, path: path.into(), read_only }
}
