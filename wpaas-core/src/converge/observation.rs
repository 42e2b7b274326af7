use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Fingerprint, Part};
use crate::id::SiteId;
use crate::site::Generation;

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything of this installation.
    Fleet,
    /// One site.
    Site(SiteId),
}

/// What a listing showed. Absent, unknown and present are three different things.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Observation {
    /// How far absence can be believed.
    pub coverage: Coverage,
    /// Everything that carries this installation's label and could be read.
    pub objects: Vec<(SiteId, Object)>,
    /// When what is in `objects` ran, by the backend's own clock; what was never started is not among them,
    /// nor that of which the times are not known yet. A backend that knows none has nothing metered.
    pub runs: Vec<(SiteId, Run)>,
}

/// When a node ran, or a volume was there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// What.
    pub part: Part,
    /// Which.
    pub object: ObjectId,
    /// When it last started; when a volume was made.
    pub started_at: Timestamp,
    /// When it stopped; `None` while it runs. A frozen node runs.
    pub ended_at: Option<Timestamp>,
    /// When its run before this one ended, where the backend can tell.
    pub previous_end: Option<Timestamp>,
}

/// How far a listing proves absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// What is not listed is not there.
    Complete,
    /// What is not listed may be there: proves no absence.
    Partial,
}

/// One object that a backend made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// What it is.
    pub part: Part,
    /// The backend's own id of it, never used again; what removal goes by.
    pub id: ObjectId,
    /// Of a node: of the spec that made it; `None` when it was changed behind our back or can't be read.
    /// `None` for what is no node.
    pub fingerprint: Option<Fingerprint>,
    /// Of the site, when it was made.
    pub generation: Generation,
    /// Of the server that made it.
    pub epoch: u64,
    /// What it is doing.
    pub state: ObjectState,
    /// The site's address, on the object that holds it: the network on Docker, so that it is known before the
    /// gateway is made.
    pub address: Option<IpAddr>,
    /// The port on the control plane's own machine that leads to `address`, where it can't be reached itself.
    pub local_port: Option<u16>,
    /// On the object that holds the address, where the address can be moved from one gateway to another: where it
    /// leads now. `None` where it always leads to the one gateway.
    pub lead: Option<Lead>,
}

/// Where an address that can be moved leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lead {
    /// Nowhere yet.
    Nowhere,
    /// To this gateway, or to what is left of one.
    To(ObjectId),
}

/// A backend's own id of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(Box<str>);

impl ObjectId {
    /// Takes the backend's text over.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The backend's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an object is doing, as a listing tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectState {
    /// A node that was made and not started yet, or a volume that is being filled: as far as a crash may leave it.
    Incomplete,
    /// A node runs; anything else is there and whole.
    Ready,
    /// A node that does not run.
    Stopped,
    /// A node whose processes are frozen.
    Frozen,
    /// On its way out.
    Removing,
    /// It is there and can't become whole again (its network is gone, say): only replacing helps.
    Broken,
}
