//! The reference server of wpaas: configuration, authentication, routes and wiring.
//!
//! [`Server::start`] binds and begins; [`Server::stop`] ends in order. Every rule is in `wpaas-core`; all
//! HTTP is here.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod config;
pub mod metrics;
pub mod operator;
pub mod problem;
pub mod telemetry;

mod app;
mod extract;
mod handlers;
mod limits;
mod observe;
mod request_id;
mod router;
mod state;

pub use app::{Server, StartError};
