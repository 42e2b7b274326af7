//! What a WordPress node is made of.

use std::fmt;
use std::net::IpAddr;

use super::outline::{self, FileOf, MountOf, Outline};
use crate::code::Layout;
use crate::converge::{Candidate, Fingerprint, NodeFile, NodeRole, NodeSpec, Part, ReleaseRef, RunIntent};
use crate::id::SiteId;
use crate::secret::{SecretName, SecretRef};

const WWW_DATA: &str = "www-data";

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

/// The URL that a site calls itself by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanonicalUrl<'a> {
    /// By a name: a host, or `host:port`.
    Home(&'a str),
    /// By its address.
    Address(IpAddr),
    /// By this port of the control plane's own machine.
    Port(u16),
}

impl fmt::Display for CanonicalUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Home(authority) => write!(f, "http://{authority}"),
            Self::Address(IpAddr::V4(ip)) => write!(f, "http://{ip}"),
            Self::Address(IpAddr::V6(ip)) => write!(f, "http://[{ip}]"),
            Self::Port(port) => write!(f, "http://127.0.0.1:{port}"),
        }
    }
}

/// The URL a site calls itself by: its home, else its address. `None` before it has one.
#[must_use]
pub fn canonical_url(run: &RunIntent, address: Option<(IpAddr, Option<u16>)>) -> Option<CanonicalUrl<'_>> {
    match (&run.home, address) {
        (Some(authority), _) => Some(CanonicalUrl::Home(authority)),
        (None, Some((_, Some(port)))) => Some(CanonicalUrl::Port(port)),
        (None, Some((ip, None))) => Some(CanonicalUrl::Address(ip)),
        (None, None) => None,
    }
}

/// What all WordPress nodes of a site that are there for the same share.
#[derive(Debug, Clone, Copy)]
pub struct WordpressSite<'a> {
    /// Of every node.
    pub fingerprint: Fingerprint,
    site: SiteId,
    conf: Conf<'a>,
}

impl<'a> WordpressSite<'a> {
    /// Of this site, with this release, calling itself by this URL.
    #[must_use]
    pub fn new(
        site: SiteId,
        run: &'a RunIntent,
        purpose: Purpose,
        release: ReleaseRef,
        url: CanonicalUrl<'a>,
    ) -> Self {
        let conf = Conf { run, purpose, url, release };
        Self { fingerprint: described(site, &conf, outline::fingerprint), site, conf }
    }

    /// The node in this slot: slots have no identity.
    #[must_use]
    pub fn spec(&self, _slot: u8) -> NodeSpec {
        described(self.site, &self.conf, outline::spec)
    }

    /// Parts that must be there first.
    pub fn needs(&self) -> impl Iterator<Item = Part> + use<> {
        [Part::Network, Part::UploadsVolume].into_iter().chain(self.conf.release.part())
    }

    /// What a running node can be given anew.
    #[must_use]
    pub fn live_files(&self) -> Vec<NodeFile> {
        described(self.site, &self.conf, |node| node.live.iter().map(FileOf::file).collect())
    }
}

/// Tells what the nodes are made of.
fn described<T>(site: SiteId, conf: &Conf<'_>, tell: impl FnOnce(&Outline<'_>) -> T) -> T {
    let Conf { run, purpose, url, release } = conf;
    let secret = |name, version| SecretRef { site, name, version };
    let Served { release_at, uploads_at, .. } = Served::of(*release);
    let uploads = MountOf { part: Part::UploadsVolume, path: uploads_at, read_only: false };
    let release_part = release.part().map(|part| MountOf { part, path: release_at, read_only: true });
    let (with_release, without) = ([release_part.unwrap_or(uploads), uploads], [uploads]);
    let apart: &dyn fmt::Display = match purpose {
        Purpose::Visitors => &"visitors",
        Purpose::Trial(candidate) => &candidate.id,
        Purpose::Preview => &"preview",
    };
    tell(&Outline {
        role: NodeRole::Wordpress,
        files: &[
            FileOf::secret("secrets/database-password", WWW_DATA, secret(SecretName::DatabasePassword, 1)),
            FileOf::secret("secrets/salt", WWW_DATA, secret(SecretName::Salt, 1)),
        ],
        live: &[
            FileOf::secret("secrets/admin-hash", WWW_DATA, secret(SecretName::AdminHash, run.admin_version)),
            FileOf::text("wordpress.conf", conf),
        ],
        mounts: if release_part.is_some() { &with_release } else { &without },
        also: &[url, release, apart],
        memory_mib: 512,
        restart: true,
    })
}

/// How a release is served.
struct Served {
    layout: &'static str,
    /// Where it is mounted, if it is stored.
    release_at: &'static str,
    uploads_at: &'static str,
}

impl Served {
    const fn of(release: ReleaseRef) -> Self {
        let (stock, content) = ("/srv/wordpress/wp-content/uploads", "/srv/wordpress/wp-content");
        match release {
            ReleaseRef::Stock => Self { layout: "stock", release_at: content, uploads_at: stock },
            ReleaseRef::Stored { layout: Layout::Content | Layout::ContentWithoutTheme, .. } => {
                Self { layout: "content", release_at: content, uploads_at: stock }
            }
            ReleaseRef::Stored { layout: Layout::Tree, .. } => Self {
                layout: "tree",
                release_at: "/srv/release",
                uploads_at: "/srv/release/wp-content/uploads",
            },
        }
    }
}

/// The file `wordpress.conf`.
#[derive(Debug, Clone, Copy)]
struct Conf<'a> {
    run: &'a RunIntent,
    purpose: Purpose,
    url: CanonicalUrl<'a>,
    release: ReleaseRef,
}

impl fmt::Display for Conf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, purpose, url, release } = self;
        let RunIntent { title, admin_user, admin_email, admin_version, .. } = run;
        // One line a value: a title can't smuggle in another.
        let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let cron = if *purpose == Purpose::Visitors { "on" } else { "off" };
        let layout = Served::of(*release).layout;
        write!(
            f,
            "title={title}\nurl={url}\nadmin_user={admin_user}\nadmin_email={admin_email}\n\
             admin_version={admin_version}\nrelease={release}\nlayout={layout}\ncron={cron}\n"
        )?;
        match purpose {
            Purpose::Trial(Candidate { id, restores, changes, .. }) => {
                writeln!(f, "trial=on\ncandidate={id}")?;
                restores.iter().try_for_each(|before| writeln!(f, "restore={before}"))?;
                changes.iter().try_for_each(|change| writeln!(f, "upgrade={}", change.to))?;
            }
            Purpose::Visitors | Purpose::Preview => writeln!(f, "trial=off")?,
        }
        writeln!(f, "end")
    }
}
