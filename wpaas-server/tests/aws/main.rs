//! The program with `backend = "aws"`, against moto over the SDK where `WPAAS_TEST_AWS_ENDPOINT` names one; the nodes'
//! part is played from outside, as moto's instances never boot.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod account;
mod bake;
#[path = "../../../tests/challenge_dns.rs"]
mod challenge_dns;
mod load;
#[expect(dead_code, reason = "others stop it, and visit what it has certified")]
#[path = "../../../tests/pebble.rs"]
mod pebble;
#[path = "../../../tests/ports.rs"]
mod ports;
mod reports;
mod server;
mod site;
mod trouble;
mod wildcard;
