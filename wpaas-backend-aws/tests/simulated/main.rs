//! The backend under the real converger, over simulated AWS in virtual time.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod conformance;
mod convergence;
mod faults;
mod fleet;
mod front;
mod lab;
mod metering;
mod security;
mod silence;
mod trouble;
