//! What each route does, by noun and verb.

pub mod health;
