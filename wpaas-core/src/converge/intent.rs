use crate::code::{Digest, Layout};
use crate::id::SiteId;
use crate::name::{Email, Username};
use crate::site::{DatabaseSize, Generation};

/// What is wanted of one site, as the planner takes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Whose.
    pub site: SiteId,
    /// Of the spec.
    pub generation: Generation,
    /// Of the server that plans.
    pub epoch: u64,
    /// What.
    pub wanted: Wanted,
}

/// Whether a site is to run, rest or go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// What is served; `None` while no release is ready yet.
    pub release: Option<ReleaseRef>,
    /// The names the gateway answers to, besides the address. Hosts, or `host:port`.
    pub authorities: Vec<String>,
    /// Authorities that redirect to another, and to which.
    pub redirects: Vec<(String, String)>,
    /// The authority that the site calls itself by; the address without one.
    pub home: Option<String>,
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
