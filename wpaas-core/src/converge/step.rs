//! Steps: what a backend is told to do. Every choice is in them; none is left to the backend.

use std::fmt;

use super::fingerprint::Fingerprinting;
use super::{BootId, Fingerprint, ObjectId, ObjectState, Part};
use crate::code::{Digest, Layout};
use crate::id::SiteId;
use crate::secret::SecretRef;
use crate::site::Generation;

/// One thing to do to one part of one site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// Whose.
    pub site: SiteId,
    /// The spec's revision that it was planned for.
    pub generation: Generation,
    /// Of the server that planned it.
    pub epoch: u64,
    /// To which part.
    pub part: Part,
    /// What.
    pub action: Action,
    /// Why.
    pub why: StepReason,
}

/// Why a step is taken, by the planner's own decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StepReason {
    /// It is wanted, and surely not there.
    #[error("is wanted and not there")]
    Missing,
    /// Its making was cut off.
    #[error("was not made to its end")]
    Unfinished,
    /// It will never be whole.
    #[error("can't become whole again")]
    Broken,
    /// It has ended.
    #[error("does not run")]
    Down,
    /// It was frozen.
    #[error("is frozen")]
    Frozen,
    /// It runs and has not reported for longer than it is waited for.
    #[error("has not reported for too long")]
    Silent,
    /// What it is made of is not what is wanted now.
    #[error("is not as it is wanted now")]
    Outdated,
    /// More are there than are wanted.
    #[error("is one too many")]
    TooMany,
    /// Nothing that is wanted uses it.
    #[error("is not used any more")]
    Unused,
    /// A database node without its volume holds nothing.
    #[error("has lost its volume")]
    LostVolume,
    /// A database node that says so, and takes no writes.
    #[error("has lost the other database nodes")]
    LostComponent,
    /// All database nodes wait, and it has the most recent data.
    #[error("waits, as all do, and has the most recent data")]
    Furthest,
    /// A database node waits while others serve.
    #[error("waits, and others can take it in")]
    Waits,
    /// The gateway does not send visitors where it should.
    #[error("sends visitors elsewhere than it should")]
    Routes,
    /// The address does not lead to a gateway that serves.
    #[error("serves, and the address leads elsewhere")]
    Leads,
    /// The admin was given another password.
    #[error("has an older password of the admin")]
    AdminPassword,
    /// The release that it tries has proved itself with the schema that is there.
    #[error("tries a release that needs another schema")]
    Schema,
    /// The site is not to run.
    #[error("the site rests")]
    Rests,
    /// The site is deleted, and its grace is over.
    #[error("the site is gone")]
    Gone,
}

impl StepReason {
    /// Of a part that is not as it should be by its state alone.
    pub(super) const fn of(state: ObjectState) -> Self {
        match state {
            ObjectState::Incomplete => Self::Unfinished,
            ObjectState::Broken => Self::Broken,
            ObjectState::Stopped => Self::Down,
            ObjectState::Frozen => Self::Frozen,
            ObjectState::Ready | ObjectState::Removing => Self::Outdated,
        }
    }
}

/// What to do. A plan holds no secret, only references.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Make the network; the backend takes a free range.
    CreateNetwork,
    /// Make an empty volume.
    CreateVolume,
    /// Make the release's files available to WordPress nodes.
    CreateRelease {
        /// Of the stored archive.
        digest: Digest,
        /// Decides whether the stock theme is put in.
        layout: Layout,
    },
    /// Make a node and start it.
    CreateNode(NodeSpec),
    /// Start a node that was made and does not run; a frozen one is killed first.
    StartNode {
        /// Which.
        object: ObjectId,
    },
    /// Tell a waiting database node what to do.
    Order {
        /// Which.
        object: ObjectId,
        /// The start of the node that waits; any other ignores the order.
        boot: BootId,
        /// What.
        order: DatabaseOrder,
    },
    /// Give a running node these files anew; it sees the change and acts.
    Configure {
        /// Which.
        object: ObjectId,
        /// All that change.
        files: Vec<NodeFile>,
    },
    /// Let the site's address lead to this gateway, away from any other.
    Lead {
        /// Which gateway.
        object: ObjectId,
    },
    /// Remove it, gracefully if it runs, by its unique id.
    Remove {
        /// Which.
        object: ObjectId,
    },
}

/// What a waiting database node is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseOrder {
    /// Begin a primary component; the number is used once.
    Found {
        /// Greater than any that a volume of the site holds.
        number: u64,
    },
    /// Join the others.
    Join {
        /// Of the component; the joiner's volume keeps it too.
        number: u64,
    },
}

impl DatabaseOrder {
    /// What tells a node that waits; it heeds no order for another start than its own.
    #[must_use]
    pub fn file(self, boot: &BootId) -> NodeFile {
        order_file("order", format!("{self} {boot}\n"))
    }
}

impl fmt::Display for DatabaseOrder {
    /// As a node reads it: `found 1`, `join 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { number } => write!(f, "found {number}"),
            Self::Join { number } => write!(f, "join {number}"),
        }
    }
}

fn order_file(path: &str, text: String) -> NodeFile {
    NodeFile { path: path.to_owned(), mode: 0o400, group: "root", content: FileContent::Text(text) }
}

/// A node to make.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeSpec {
    /// What it runs.
    pub role: NodeRole,
    /// Of everything in here that only a new node can change.
    pub fingerprint: Fingerprint,
    /// Put there before the start.
    pub files: Vec<NodeFile>,
    /// Other parts that it sees as folders.
    pub mounts: Vec<Mount>,
    /// Its memory limit, in MiB.
    pub memory_mib: u32,
    /// Whether the backend restarts it by itself. Never a database node: it would found or join unasked.
    pub restart: bool,
    /// Of the first node of a new database: the volume that is all there is of it. A node that starts for the first
    /// time on this one founds component 1 without an order, unless anything is on it, be it the number of a founding.
    ///
    /// A backend may leave it alone, and the order comes as to any other node. One that passes it on, as
    /// [`NodeSpec::first_order`], refuses to make the node where the part's volume is another.
    pub founds: Option<ObjectId>,
}

impl NodeSpec {
    /// What tells the node to found a new database, if it is to.
    #[must_use]
    pub fn first_order(&self) -> Option<NodeFile> {
        let order = DatabaseOrder::Found { number: 1 };
        self.founds.as_ref().map(|_| order_file("first-order", format!("{order}\n")))
    }
}

/// What a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeRole {
    /// MariaDB with Galera.
    Database,
    /// nginx and PHP-FPM.
    Wordpress,
    /// `HAProxy`.
    Gateway,
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Wordpress => "wordpress",
            Self::Gateway => "gateway",
        })
    }
}

/// A file of a node, below `/etc/wpaas`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeFile {
    /// Relative to `/etc/wpaas`.
    pub path: String,
    /// As `chmod` takes it.
    pub mode: u32,
    /// The group that owns it; its user is root.
    pub group: &'static str,
    /// What is in it.
    pub content: FileContent,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileContent {
    /// This text.
    Text(String),
    /// This secret, and nothing else.
    Secret(SecretRef),
}

/// A part seen as a folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mount {
    /// A volume or a release.
    pub part: Part,
    /// Absolute.
    pub path: String,
    /// Whether it can't be written.
    pub read_only: bool,
}

impl Step {
    /// What a node is told, in one text that is equal for equal messages; `None` for what changes the object
    /// itself.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match &self.action {
            Action::Order { boot, order, .. } => Some(format!("{order} {boot}")),
            Action::Configure { files, .. } => Some(format!("configure {}", NodeFile::fingerprint(files))),
            Action::Lead { object } => Some(format!("lead {object}")),
            Action::CreateNetwork
            | Action::CreateVolume
            | Action::CreateRelease { .. }
            | Action::CreateNode(_)
            | Action::StartNode { .. }
            | Action::Remove { .. } => None,
        }
    }
}

impl NodeFile {
    /// Of these files; of a secret its name and version count, never its content.
    #[must_use]
    pub fn fingerprint(files: &[Self]) -> Fingerprint {
        let mut fingerprint = Fingerprinting::default();
        for Self { path, mode, group, content } in files {
            fingerprint.text(path).text(format_args!("{mode:o} {group}"));
            match content {
                FileContent::Text(text) => fingerprint.text(text),
                FileContent::Secret(secret) => fingerprint.text(secret),
            };
        }
        fingerprint.done()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part;
        match &self.action {
            Action::CreateNetwork | Action::CreateVolume => write!(f, "create {part}"),
            Action::CreateRelease { digest, .. } => write!(f, "create {part} from {digest}"),
            Action::CreateNode(spec) => {
                let founds = if spec.founds.is_some() { " to found component 1" } else { "" };
                write!(f, "create {part} ({}, {} MiB){founds}", spec.fingerprint, spec.memory_mib)
            }
            Action::StartNode { .. } => write!(f, "start {part}"),
            Action::Order { order: DatabaseOrder::Found { number }, .. } => {
                write!(f, "order {part} to found component {number}")
            }
            Action::Order { order: DatabaseOrder::Join { number }, .. } => {
                write!(f, "order {part} to join component {number}")
            }
            Action::Configure { files, .. } => {
                let names: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
                write!(f, "configure {part}: {}", names.join(", "))
            }
            Action::Lead { .. } => write!(f, "lead the address to {part}"),
            Action::Remove { .. } => write!(f, "remove {part}"),
        }
    }
}
