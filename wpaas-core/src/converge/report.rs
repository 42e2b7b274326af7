//! What only a node knows, as it tells the control plane. The format is `node/README.md`'s.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::SiteId;

use super::{Fingerprint, Part};

mod boot;
mod parts;

pub use boot::BootId;
pub use parts::PartMap;

/// One report of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Report {
    /// Whose.
    pub site: SiteId,
    /// Which node.
    pub part: Part,
    /// This start of the node.
    pub boot: BootId,
    /// What it says.
    pub node: NodeReport,
}

/// What was last heard of a node, where it is known of which site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Heard {
    /// Which node.
    pub part: Part,
    /// That start of the node.
    pub boot: BootId,
    /// What it said.
    pub node: NodeReport,
}

impl From<Report> for Heard {
    fn from(Report { site: _, part, boot, node }: Report) -> Self {
        Self { part, boot, node }
    }
}

/// What a node of each kind says. A copy takes no memory of its own, but for a gateway's, which is its site's alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeReport {
    /// Of a database node.
    Database(Arc<DatabaseReport>),
    /// Of a WordPress node.
    Wordpress(Arc<WordpressReport>),
    /// Of a gateway.
    Gateway(Box<GatewayReport>),
}

/// Of a database node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DatabaseReport {
    /// Where it stands.
    pub phase: DatabasePhase,
    /// Whether its volume holds no database.
    pub empty: bool,
    /// How far its data goes; known while it waits.
    pub position: Option<Position>,
    /// The number of the last founding, written on the volume; 0 without one.
    pub founding: u64,
    /// `wsrep_local_state`: 4 is Synced, 2 is Donor.
    pub state: Option<u8>,
    /// Whether it belongs to a primary component.
    pub primary: bool,
    /// Of its component.
    pub size: u8,
    /// For how many seconds, in steps of five, its MariaDB has said that it is in no primary component; none while
    /// it is in one, is on its way there, or gives no answer.
    pub lost_for: Option<u32>,
    /// While it starts: whether it was to join a component, and did not found one.
    #[serde(default)]
    pub joins: bool,
    /// What went wrong, for people.
    pub error: Option<String>,
}

impl DatabaseReport {
    /// Whether it takes writes: also while it gives its state to a joiner.
    #[must_use]
    pub fn takes_writes(&self) -> bool {
        self.phase == DatabasePhase::Running && self.primary && matches!(self.state, Some(2 | 4))
    }

    /// Whether it takes writes and is up to date.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.phase == DatabasePhase::Running && self.primary && self.state == Some(4)
    }
}

/// Where a database node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabasePhase {
    /// Reading its position.
    Recovering,
    /// For an order.
    Waiting,
    /// On its way to a component.
    Starting,
    /// In a component.
    Running,
    /// It gave up.
    Failed,
}

/// How far a database node's data goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Of the history; all zeros when there is none.
    pub uuid: uuid::Uuid,
    /// In the history; -1 when unknown.
    pub seqno: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uuid, self.seqno)
    }
}

/// Of a WordPress node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WordpressReport {
    /// Where it stands.
    pub phase: WordpressPhase,
    /// The release it serves: `stock`, or a digest.
    pub release: String,
    /// The version of admin's password that the database holds.
    pub admin_version: u64,
    /// Its WordPress's version.
    #[serde(rename = "wordpress")]
    pub version: Option<String>,
    /// The `db_version` of its WordPress.
    pub schema: Option<u64>,
    /// The `db_version` of the site's database.
    #[serde(default)]
    pub tables: Option<u64>,
    /// What is wrong with the front page as visitors get it, for people.
    #[serde(default)]
    pub content: Option<String>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

impl WordpressReport {
    /// From which schema to which its WordPress would take the site's database, if to another.
    #[must_use]
    pub fn upgrade(&self) -> Option<(u64, u64)> {
        let (tables, schema) = (self.tables?, self.schema?);
        (tables < schema).then_some((tables, schema))
    }
}

/// Where a WordPress node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordpressPhase {
    /// For the database.
    Waiting,
    /// Making the database this site's.
    Installing,
    /// Finding out whether its release does what a WordPress does.
    Probing,
    /// Taking a dump, and making the database what an older dump has.
    Restoring,
    /// Taking a dump, and making the database one of its WordPress's schema.
    Upgrading,
    /// Answers.
    Serving,
    /// It gave up.
    Failed,
    /// The release that it tries does not do what a WordPress does.
    Refused,
}

/// Of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Of the routes that it follows; none before the first.
    pub revision: Option<Box<str>>,
    /// Of every server it was told of.
    pub servers: PartMap<ServerState>,
    /// What nodes that get no new sessions still have, of a database node its connections; who has nothing is not among
    /// them.
    #[serde(default)]
    pub draining: PartMap<Draining>,
    /// What went wrong, for people.
    pub error: Option<String>,
}

impl GatewayReport {
    /// Whether it follows these routes.
    #[must_use]
    pub fn follows(&self, revision: Fingerprint) -> bool {
        self.revision.as_deref().and_then(Fingerprint::parse) == Some(revision)
    }
}

/// What a server still has that gets no new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Draining {
    /// Under way.
    pub requests: u32,
    /// For how many seconds it has got no new ones, in steps of five.
    pub seconds: u32,
}

impl Draining {
    /// For how many seconds a node that is to go is left to what it has. Longer than PHP may be silent over a request
    /// (65 s) and than most downloads take; one that never ends holds a release up no longer, and then has what a stop
    /// leaves it (12 s).
    pub const LONGEST: u32 = 300;
}

/// A server as a gateway sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Passes its checks.
    Up,
    /// Fails its checks.
    Down,
    /// Gets no new sessions.
    Drain,
}
