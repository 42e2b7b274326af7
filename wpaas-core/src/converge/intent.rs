use std::fmt;

use thin_vec::ThinVec;

use super::Part;
use crate::account::Version;
use crate::code::{Digest, Layout};
use crate::id::{ReleaseId, SiteId};
use crate::name::{Email, Username};
use crate::secret::SecretRef;
use crate::site::{DatabaseSize, Generation, SchemaChange};

/// What is wanted of one site, as the planner takes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Whose.
    pub site: SiteId,
    /// Of the spec.
    pub generation: Generation,
    /// Of the record that it was made from: of two of one generation, the newer.
    pub version: Version,
    /// Of the server that plans.
    pub epoch: u64,
    /// What.
    pub wanted: Wanted,
}

/// Whether a site is to run, rest or go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "nearly all sites run")]
pub enum Wanted {
    /// Serve.
    Run(RunIntent),
    /// Nothing runs; data, network and address are kept.
    Rest,
    /// Nothing of it is left.
    Gone,
}

/// What is wanted of a site that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunIntent {
    /// WordPress nodes that serve.
    pub wordpress: u8,
    /// Database nodes.
    pub database: DatabaseSize,
    /// What is served; `None` while no release has proved itself yet.
    pub release: Option<ReleaseRef>,
    /// What is tried on a node of its own, to be served once it has proved itself.
    pub candidate: Option<Box<Candidate>>,
    /// Why the newest release is not served, if it failed.
    pub refused: Option<Box<str>>,
    /// Other releases under names of their own, on nodes of their own.
    pub previews: ThinVec<Preview>,
    /// The names the gateway answers to, besides the address. Hosts, or `host:port`.
    pub authorities: Vec<String>,
    /// Authorities that redirect to another, and to which.
    pub redirects: ThinVec<(String, String)>,
    /// What the gateway needs for HTTPS.
    pub tls: TlsIntent,
    /// The authority that the site calls itself by; the address without one.
    pub home: Option<Box<str>>,
    /// The website's title.
    pub title: String,
    /// WordPress's first user.
    pub admin_user: Username,
    /// Its address.
    pub admin_email: Email,
    /// Of its password.
    pub admin_version: u64,
    /// Whether the database was ever founded, as far as the store remembers.
    pub was_founded: bool,
}

/// What a gateway needs for HTTPS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsIntent {
    /// What it answers a certificate authority with, after the token and a dot.
    pub challenge: Option<Box<str>>,
    /// What is served.
    pub certificates: ThinVec<TlsCertificate>,
}

/// A certificate that a gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsCertificate {
    /// Certificate, chain and key.
    pub secret: SecretRef,
    /// Authorities of plain HTTP that redirect to HTTPS, and to which there.
    pub redirects: Vec<(String, String)>,
    /// Hosts of which browsers are told, over HTTPS, to ask for them over nothing else, and for how many seconds.
    pub strict: Vec<(String, u32)>,
}

/// A release that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Which. The same code tried again is another one, on another node.
    pub id: ReleaseId,
    /// What is tried.
    pub release: ReleaseRef,
    /// Before it is, the database becomes what it was before that release changed its schema.
    pub restores: Option<ReleaseId>,
    /// Once it has proved itself, it takes a dump, changes the database's schema so, and is tried again.
    pub changes: Option<SchemaChange>,
}

/// A release that is shown under other names than the site's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Preview {
    /// The names that show it, and it alone. Hosts, or `host:port`.
    pub names: Vec<String>,
    /// What is shown.
    pub release: ReleaseRef,
}

/// What WordPress nodes serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseRef {
    /// The WordPress of the image.
    Stock,
    /// A stored release.
    Stored {
        /// Of its archive.
        digest: Digest,
        /// How it is served.
        layout: Layout,
    },
}

impl ReleaseRef {
    /// The part that holds its files; the stock WordPress is in the image.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Stock => None,
            Self::Stored { digest, .. } => Some(Part::Release(digest.prefix())),
        }
    }
}

impl fmt::Display for ReleaseRef {
    /// As nodes call it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stock => f.write_str("stock"),
            Self::Stored { digest, .. } => digest.fmt(f),
        }
    }
}
