//! The loop under a virtual clock, over the simulated backend and one that fails on demand.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod acts;
mod failures;
mod looks;
mod metered;
mod pause;
mod servers;
#[path = "../support/mod.rs"]
mod support;
mod ways;
mod world;
