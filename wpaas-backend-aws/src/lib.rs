//! The wpaas backend that runs sites on EC2, and code from S3.
//!
//! [`AwsBackend`] turns the parts of a site into a pair of security groups with an Elastic IP, gp3 volumes that
//! outlive their instances, and instances; uploads and releases live in S3. All of it is written over a narrow port
//! of our own types ([`cloud`]), paced by our own limiter ([`limiter`]). [`s3`] fetches a site's code from S3 or
//! what speaks its protocol.
//!
//! The features `ec2`, `route53` and `s3` bring the SDK's adapters of these services in ([`sdk`]). Without any there is
//! all of the logic, and with `testing` the simulator that it is tried against.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod apply;
mod backend;
pub mod cloud;
mod config;
mod error;
mod gate;
mod key;
pub mod limiter;
mod listing;
mod objects;
mod reports;
mod runs;
pub mod s3;
#[cfg(feature = "sdk")]
pub mod sdk;
mod sightings;
mod tag;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
pub mod user_data;
mod zone;

pub use backend::AwsBackend;
pub use config::{AwsConfig, InstanceTypes, Reports, Subnet};
pub use reports::Said;
pub use zone::ZoneKeeper;
