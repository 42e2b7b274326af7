//! The API over real HTTP: a server in this process on ports of its own, with its store in a file, over a backend
//! that runs nothing.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod auth;
mod autoscale;
mod canary;
mod certificates;
mod cli;
mod customers;
mod domains;
mod events;
mod failing;
mod harness;
mod idempotency;
mod killed;
mod limits;
mod moved;
mod orgs;
#[expect(dead_code, reason = "the tests with the real Docker ask it for more")]
#[path = "../../../tests/pebble.rs"]
mod pebble;
#[path = "../../../tests/ports.rs"]
mod ports;
mod problems;
mod process;
mod releases;
mod reports;
mod service;
mod sessions;
mod several;
mod site_fields;
mod sites;
mod spaces;
mod spares;
mod sso;
mod usage;
mod users;
mod webhooks;
