use crate::id::OrgId;
use crate::name::Slug;
use crate::quota::Quota;

mod delete;
mod read;
mod write;

/// A space to make.
#[derive(Debug, Clone)]
pub struct NewSpace {
    /// In which org.
    pub org: OrgId,
    /// Unique in the org.
    pub name: Slug,
    /// For people.
    pub description: String,
    /// Never above the org's.
    pub quota: Quota,
}

/// What to change of a space; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SpaceUpdate {
    /// For people.
    pub description: Option<String>,
    /// The whole quota.
    pub quota: Option<Quota>,
}
