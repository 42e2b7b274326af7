//! What wpaas takes from AWS. Today that is a site's code, from S3 or what speaks its protocol ([`s3`]).
//!
//! EC2 and Route 53 are not there yet: this crate holds no `Backend`, and sites can't run on AWS with it.
//!
//! The feature `s3` brings the AWS SDK in. Without it there are only the rules of reading code from a bucket,
//! behind a port of two methods ([`s3::Objects`]); most tests need no more.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod s3;
