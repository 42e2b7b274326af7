//! What goes over the wire, by noun. The domain is converted with all its fields named, so that a new one
//! breaks the build here.

pub mod autoscale;
pub mod certificate;
pub mod code;
pub mod customer;
pub mod domain;
pub mod event;
pub mod hsts;
pub mod key;
pub mod list;
pub mod org;
pub mod plan;
pub mod release;
pub mod report;
pub mod route;
pub mod schema;
pub mod session;
pub mod site;
pub mod site_query;
pub mod site_request;
pub mod site_status;
pub mod space;
pub mod sso;
pub mod usage;
pub mod user;
pub mod webhook;
