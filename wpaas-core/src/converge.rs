//! Convergence: from what is wanted and what is seen to the steps that are safe now, again and again.
//!
//! [`plan`] is pure. [`Backend`] does the work. There is no stored workflow: a crash at any point leaves
//! nothing to recover, because the next pass plans from what is there.

mod backend;
mod intent;
mod intents;
mod observation;
mod part;
mod report;
mod step;

pub use backend::{Applied, Backend, BackendError, Capabilities, ErrorClass};
pub use intent::{Intent, ReleaseRef, RunIntent, Wanted};
pub use intents::{Intents, IntentsError};
pub use observation::{Coverage, Object, ObjectId, ObjectState, Observation, Scope};
pub use part::{InvalidPart, Part, PartKey};
pub use report::{
    BootId, DatabasePhase, DatabaseReport, GatewayReport, NodeReport, Position, Report, ServerState,
    WordpressPhase, WordpressReport,
};
pub use step::{Action, DatabaseOrder, FileContent, Fingerprint, Mount, NodeFile, NodeRole, NodeSpec, Step};
