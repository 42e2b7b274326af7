//! The domain, the access rules and the converger of wpaas, a control plane for WordPress hosting.
//!
//! Knows no HTTP, no Docker and no AWS. What is *wanted* is kept by a [`store`], what *runs* is seen and
//! changed by a [`converge::Backend`], and [`converge::plan`] decides, purely, the steps between them.
//!
//! Where to begin: the [`book`].
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod access;
pub mod account;
#[cfg(feature = "testing")]
pub mod book;
pub mod claim;
pub mod code;
pub mod converge;
pub mod credential;
pub mod defaults;
pub mod fleet;
pub mod id;
pub mod keyring;
pub mod lockout;
pub mod metering;
pub mod name;
pub mod node;
#[cfg(feature = "openapi")]
mod openapi;
pub mod quota;
pub mod reach;
pub mod secret;
pub mod service;
pub mod site;
pub mod store;
pub mod webhook;
