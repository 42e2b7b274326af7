//! The tests that need several crates, or the real Docker.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod docker;
mod layering;
mod ports;
mod scenarios;
