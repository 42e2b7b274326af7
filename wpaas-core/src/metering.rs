//! Metering: what each org is billed for, counted from the backend's own start and stop times. Pure.
//!
//! A [`Look`] is what was seen of a site at one moment. [`advance`] takes it into the site's [`Meter`]s, one a
//! run, and gives the [`Slice`]s that are complete by it. A slice never crosses a full hour and a meter only
//! moves forward, so that the same slices come of the same runs however often, late or out of order they are
//! looked at, and whoever looks.
//!
//! What nobody was told of while no server looked is counted as far as the backend still tells: it knows the last
//! start and the end before that, no more. So what somebody removed by hand meanwhile counts up to when it was last
//! seen, and what was restarted more than once counts through all but the last of the pauses.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::converge::{ObjectId, Part, Run};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::name::Cid;

mod meter;
#[cfg(test)]
mod tests;

pub use meter::{Advanced, Meter, MeterState, Slice, advance};

/// What was seen of one site at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Whose.
    pub site: SiteId,
    /// When the looking began: what is seen to run ran at this time, or has started since.
    pub seen_at: Timestamp,
    /// Whether what is neither in `runs` nor in `others` was surely gone.
    pub complete: bool,
    /// What runs, or is there and ran.
    pub runs: Vec<Run>,
    /// What is there and was never started, or of which nobody knows yet when it was.
    pub others: Vec<ObjectId>,
}

impl Look {
    /// Of what began before this time, what is after it: what ran before is nobody's to pay for. Without a time all of it.
    #[must_use]
    pub fn since(&self, time: Option<Timestamp>) -> Cow<'_, Self> {
        let Some(time) = time else { return Cow::Borrowed(self) };
        let mut look = self.clone();
        let (runs, before): (Vec<_>, Vec<_>) =
            look.runs.into_iter().partition(|run| run.ended_at.is_none_or(|end| end > time));
        look.others.extend(before.into_iter().map(|run| run.object));
        let begins = |run: Run| Run { started_at: run.started_at.max(time), ..run };
        look.runs = runs.into_iter().map(begins).collect();
        Cow::Owned(look)
    }
}

/// What is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageKind {
    /// The time that a WordPress node ran.
    Wordpress,
    /// The time that a database node ran.
    Database,
    /// The time that a gateway ran.
    Gateway,
    /// The time that a volume was there, whether anything used it or not.
    Storage,
}

impl UsageKind {
    /// All of them, in the order in which they are summed up.
    pub const ALL: [Self; 4] = [Self::Wordpress, Self::Database, Self::Gateway, Self::Storage];

    /// What a part is billed as; `None` for what is not.
    #[must_use]
    pub const fn of(part: Part) -> Option<Self> {
        match part {
            Part::Wordpress(_) => Some(Self::Wordpress),
            Part::Database(_) => Some(Self::Database),
            Part::Gateway(_) => Some(Self::Gateway),
            Part::DatabaseVolume(_) | Part::UploadsVolume => Some(Self::Storage),
            Part::Network | Part::Release(_) => None,
        }
    }

    /// The stable name: `wordpress`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wordpress => "wordpress",
            Self::Database => "database",
            Self::Gateway => "gateway",
            Self::Storage => "storage",
        }
    }
}

/// One piece of use: something ran, or was there, from one time to another within one hour.
///
/// Append-only: a record is never changed and never comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// Grows with every record; what a cursor names.
    pub seq: u64,
    /// Whose.
    pub cid: Cid,
    /// Who is billed.
    pub org: OrgId,
    /// In which space.
    pub space: SpaceId,
    /// Of which site.
    pub site: SiteId,
    /// What of it.
    pub part: Part,
    /// As what it is billed.
    pub kind: UsageKind,
    /// The backend's id of what ran.
    pub object: ObjectId,
    /// Of a volume, in GiB; 0 of a node.
    pub gib: u32,
    /// The beginning, to the millisecond.
    pub from: Timestamp,
    /// The end, to the millisecond.
    pub to: Timestamp,
}

impl UsageRecord {
    /// How long, in milliseconds.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.to.as_millisecond() - self.from.as_millisecond()).unwrap_or(0)
    }
}

/// What was used of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSum {
    /// What.
    pub kind: UsageKind,
    /// How long, over all that ran, in milliseconds.
    pub millis: u64,
    /// Each volume's size times how long it was there, in GiB-milliseconds; 0 of nodes.
    pub gib_millis: u64,
}

/// Which records. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// A customer's.
    pub cid: Option<Cid>,
    /// An org's.
    pub org: Option<OrgId>,
    /// A site's.
    pub site: Option<SiteId>,
    /// Those that begin at this time or later.
    pub from: Option<Timestamp>,
    /// Those that begin before this time. As no record crosses a full hour, full hours cut exactly.
    pub to: Option<Timestamp>,
}

impl UsageFilter {
    /// Whether the record is one of them.
    #[must_use]
    pub fn matches(&self, record: &UsageRecord) -> bool {
        let Self { cid, org, site, from, to } = self;
        cid.as_ref().is_none_or(|cid| record.cid == *cid)
            && org.is_none_or(|org| record.org == org)
            && site.is_none_or(|site| record.site == site)
            && from.is_none_or(|from| record.from >= from)
            && to.is_none_or(|to| record.from < to)
    }
}

/// The size of a part's volume, in GiB; 0 of what is none.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "testing"))]
pub(crate) const fn gib(part: Part, sizes: crate::quota::VolumeSizes) -> u32 {
    match part {
        Part::DatabaseVolume(_) => sizes.database_gib,
        Part::UploadsVolume => sizes.uploads_gib,
        _ => 0,
    }
}
