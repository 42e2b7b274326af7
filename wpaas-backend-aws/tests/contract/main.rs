//! One suite of what the backend relies on, against the simulator, against moto over the SDK, and against a real
//! account when asked; `differences.rs` says where they differ, and who is right.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod bucket;
mod check;
mod differences;
mod instances;
mod network;
mod sdk;
mod volumes;
mod world;
mod zone;
