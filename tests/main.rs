//! The tests that need several crates, or the real Docker.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[expect(dead_code, reason = "no text is set here")]
mod challenge_dns;
mod docker;
mod layering;
#[expect(dead_code, reason = "the tests of the API ask it for more")]
mod pebble;
mod ports;
mod scenarios;
