//! The tests that need several crates, or the real Docker.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod docker;
mod layering;
#[expect(dead_code, reason = "the tests of the API ask it for more")]
mod pebble;
mod ports;
mod scenarios;
