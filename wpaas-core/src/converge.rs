//! Convergence: from what is wanted and what is seen to the steps that are safe now, again and again.
//!
//! [`plan`] is pure. [`Backend`] does the work. There is no stored workflow: a crash at any point leaves
//! nothing to recover, because the next pass plans from what is there.

mod act;
mod backend;
mod behind;
#[cfg(feature = "testing")]
pub mod conformance;
mod converger;
mod facts;
mod fingerprint;
mod intent;
mod intents;
mod lint;
mod observation;
mod part;
mod plan;
mod report;
mod routes;
#[cfg(feature = "testing")]
pub mod simulated;
mod status;
mod step;
#[cfg(feature = "testing")]
pub mod storm;
#[cfg(feature = "testing")]
pub mod trial;
mod verdict;
mod view;
mod work_queue;

pub(crate) use converger::chain;

pub use act::{Act, acts};
pub use backend::{Applied, Backend, BackendError, Capabilities, ErrorClass, Patience, hints};
pub use behind::{floor, keep_what_is_there, keep_what_runs};
pub use converger::{Converger, ConvergerHandle};
pub use facts::{Facts, Seen, Silent, Told};
pub use fingerprint::Fingerprint;
pub(crate) use fingerprint::Fingerprinting;
pub use intent::{Candidate, Intent, Preview, ReleaseRef, RunIntent, TlsCertificate, TlsIntent, Wanted};
pub use intents::{Ends, Intents, IntentsError};
pub use lint::{Violation, lint};
pub use observation::{Coverage, Entry, Lead, Object, ObjectId, ObjectState, Observation, Run, Scope};
pub use part::{InvalidPart, Part, PartKey};
pub use plan::{Hold, HoldReason, SitePlan, plan};
pub use report::{
    BootId, DatabasePhase, DatabaseReport, Draining, GatewayReport, Heard, NodeReport, PartMap, Position,
    Report, ServerState, WordpressPhase, WordpressReport,
};
pub use routes::{RouteState, Routes};
pub use status::{DnsState, Trouble, status};
pub use step::{Action, DatabaseOrder, FileContent, Mount, NodeFile, NodeRole, NodeSpec, Step, StepReason};
pub use verdict::{Proved, Verdict, verdict};
pub use view::View;
pub use work_queue::{Retries, WorkQueue};
