//! The node set-up: the files that every backend's nodes are made of (`wpaas-core/node`), and what the
//! planner gives each node. The contract between the two is `node/README.md`.

mod context;
mod gateway;
mod outline;
mod spec;
mod wordpress;

pub use context::{ContextFile, context, context_digest, context_file, edge_digest, role_digest};
pub use gateway::GatewayConfig;
pub use spec::{database, database_fingerprint, gateway, gateway_fingerprint};
pub use wordpress::{CanonicalUrl, Purpose, WordpressSite, canonical_url};
