//! The node set-up: the files that every backend's nodes are made of (`wpaas-core/node`), and the
//! configuration that the planner gives each node.

mod context;

pub use context::{ContextFile, context, context_digest, context_file};
