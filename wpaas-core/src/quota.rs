//! Quotas of orgs and spaces.

use serde::{Deserialize, Serialize};

/// How much an org or a space may hold. `None` sets no limit of its own.
///
/// A space's quota never exceeds its org's. Lowering a quota below what is used is allowed and only refuses growth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<u32>,
    /// WordPress instances over all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wordpress_instances: Option<u32>,
    /// Database instances over all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_instances: Option<u32>,
    /// Storage over all sites, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_gib: Option<u32>,
}

/// What is used of a quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Sites.
    pub sites: u32,
    /// WordPress instances over all sites.
    pub wordpress_instances: u32,
    /// Database instances over all sites.
    pub database_instances: u32,
    /// Storage over all sites, in GiB.
    pub storage_gib: u32,
}

/// The sizes of a site's volumes: what they count against the storage quotas, and are billed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeSizes {
    /// Of each database node, in GiB.
    pub database_gib: u32,
    /// Of the uploads, in GiB.
    pub uploads_gib: u32,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u32::saturating_add)
    }
}

impl std::ops::Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, u32::saturating_sub)
    }
}

impl Usage {
    fn with(self, other: Self, each: impl Fn(u32, u32) -> u32) -> Self {
        let Self { sites, wordpress_instances, database_instances, storage_gib } = self;
        Self {
            sites: each(sites, other.sites),
            wordpress_instances: each(wordpress_instances, other.wordpress_instances),
            database_instances: each(database_instances, other.database_instances),
            storage_gib: each(storage_gib, other.storage_gib),
        }
    }
}

/// A limit that a change would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {wanted} wanted, {limit} allowed")]
pub struct QuotaExceeded {
    /// The field of the quota.
    pub what: &'static str,
    /// What would be used.
    pub wanted: u32,
    /// What may be used.
    pub limit: u32,
}

impl Quota {
    /// Whether `after` fits, given that `before` is used now: only growth is refused.
    ///
    /// # Errors
    ///
    /// The first limit that would be passed.
    pub fn allows(&self, before: Usage, after: Usage) -> Result<(), QuotaExceeded> {
        let checks = [
            ("sites", self.sites, before.sites, after.sites),
            (
                "wordpress_instances",
                self.wordpress_instances,
                before.wordpress_instances,
                after.wordpress_instances,
            ),
            (
                "database_instances",
                self.database_instances,
                before.database_instances,
                after.database_instances,
            ),
            ("storage_gib", self.storage_gib, before.storage_gib, after.storage_gib),
        ];
        for (what, limit, before, after) in checks {
            if let Some(limit) = limit
                && after > limit
                && after > before
            {
                return Err(QuotaExceeded { what, wanted: after, limit });
            }
        }
        Ok(())
    }

    /// Whether every limit of `self` is at most that of `parent`; an absent one counts as the parent's.
    #[must_use]
    pub fn fits_in(&self, parent: &Self) -> bool {
        let fits = |own: Option<u32>, parent: Option<u32>| match (own, parent) {
            (Some(own), Some(parent)) => own <= parent,
            _ => true,
        };
        fits(self.sites, parent.sites)
            && fits(self.wordpress_instances, parent.wordpress_instances)
            && fits(self.database_instances, parent.database_instances)
            && fits(self.storage_gib, parent.storage_gib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_lowered_below_use_only_refuses_growth() {
        let quota = Quota { sites: Some(2), ..Quota::default() };
        let used = |sites| Usage { sites, ..Usage::default() };
        assert_eq!(quota.allows(used(1), used(2)), Ok(()));
        assert_eq!(quota.allows(used(4), used(3)), Ok(()));
        assert_eq!(quota.allows(used(4), used(4)), Ok(()));
        assert_eq!(quota.allows(used(2), used(3)), Err(QuotaExceeded { what: "sites", wanted: 3, limit: 2 }));
    }
}
