//! The backend against a real Engine. Each test has an installation of its own and cleans up nothing else.
//!
//! Without an Engine the tests say that they were skipped; with `WPAAS_TEST_DOCKER=1` they fail.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod conformance;
mod crashes;
mod fakes;
mod lab;
mod lifecycle;
mod metering;
mod networks;
mod outside;
mod proxy;
mod real;
mod registry;
mod tls;
