//! The wpaas backend that runs sites as containers of a Docker Engine.
//!
//! [`DockerBackend`] turns the parts of a site into a bridge network with a range of its own, volumes,
//! and containers with fixed addresses. Everything it makes carries labels that name the installation,
//! the site and the part; it acts on nothing else. It keeps no state: what it remembers between calls
//! saves work and can be lost at any time.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod apply;
mod archive;
mod backend;
mod changes;
mod config;
mod engine;
mod error;
mod fleet;
mod host;
mod images;
mod label;
mod listing;
mod memory;
mod name;
mod node;
mod objects;
mod observe;
mod runs;
mod subnet;

pub use backend::DockerBackend;
pub use config::{DockerConfig, Images, Publish};
pub use engine::EngineVersion;
pub use subnet::{InvalidPool, Pool};
