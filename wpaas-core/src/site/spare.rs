//! Spares: sites of no customer, made beforehand.

use jiff::Timestamp;

use super::{DatabaseSize, Generation};
use crate::id::SiteId;

/// A site that is made before anybody asks for one: its network, its database and its gateway are up, and it has no
/// WordPress node. Who makes a site takes it over by its id, and waits for a WordPress node and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// Of the site that it becomes.
    pub id: SiteId,
    /// Only a site with such a database takes it.
    pub database: DatabaseSize,
    /// Whose it is.
    pub state: SpareState,
    /// Since when.
    pub since: Timestamp,
}

/// Whose a spare is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpareState {
    /// Nobody's: it is to stay up until somebody takes it.
    Kept,
    /// A customer's site since then, and no spare any more.
    Taken,
    /// Nobody's, and not wanted any more. Known for ever, as a purged site is: so what appears of it late is removed.
    Gone,
}

impl Spare {
    /// Of what is wanted of it; a site's first comes after it.
    pub const GENERATION: Generation = 0;
}
