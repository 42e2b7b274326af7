//! The suites of `tests/simulated` once more, with the unmodified SDK between the backend and the simulator: its
//! requests are read, and its answers written, as the services do it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../simulated/conformance.rs"]
mod conformance;
#[path = "../simulated/convergence.rs"]
mod convergence;
#[path = "../simulated/faults.rs"]
mod faults;
#[path = "../simulated/fleet.rs"]
mod fleet;
mod front;
#[path = "../simulated/lab.rs"]
mod lab;
#[path = "../simulated/metering.rs"]
mod metering;
mod names;
mod policy;
#[path = "../simulated/security.rs"]
mod security;
#[path = "../simulated/trouble.rs"]
mod trouble;
