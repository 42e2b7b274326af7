//! The reference server of wpaas: configuration, authentication, routes and wiring.
//!
//! [`Server::start`] binds and begins; [`Server::stop`] ends in order. Every rule is in `wpaas-core`; all
//! HTTP is here.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod certificates;
pub mod cli;
pub mod config;
pub mod problem;
pub mod telemetry;

mod accept;
mod answer;
mod app;
mod auth;
mod autoscale;
mod backends;
mod cluster;
mod code;
mod conditional;
pub mod dns;
mod domain;
mod domains;
mod dto;
mod extract;
mod fleet;
mod handlers;
mod idempotency;
mod limits;
mod listener;
mod metrics;
mod observe;
mod openapi;
mod operator;
mod passwords;
mod purges;
mod rates;
mod releases;
mod request_id;
mod router;
mod spares;
mod sso;
mod state;
mod storage;
mod tasks;
mod watch;
mod webhooks;

pub use app::{Server, StartError};
pub use operator::TokenError;
pub use sso::SsoError;
