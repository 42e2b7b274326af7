//! Which server tends which sites, where several share one state.
//!
//! Sites fall into a fixed number of [`Share`]s. A server that lives says so again and again, and takes its part of the
//! shares that nobody alive has; [`decide`] is pure. Each taking gives the share a newer [`Token`], which is the epoch
//! of whatever is done under it: what a server still does that was taken for dead, a backend refuses as older.
//! Claims save work; safety stands on what a backend compares and on names that can be made once.

use std::fmt;

use jiff::Timestamp;

use crate::id::SiteId;

mod decide;
mod keeper;
mod tenure;

pub use decide::{Moves, decide};
pub use keeper::{Keeper, Peers, servers};
pub use tenure::{StepGuard, Tenure};

/// A part of all sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u8);

impl Share {
    /// How many there are; so many servers at most have something to do.
    pub const COUNT: u8 = 64;

    /// The share of a site.
    #[must_use]
    pub fn of(site: SiteId) -> Self {
        // The last byte of an id is random, whatever kind of id it is.
        Self(site.uuid().as_bytes()[15] % Self::COUNT)
    }

    /// The share of this number; `None` for a number that no share has.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Grows with each server that takes a share. No smaller than the time in milliseconds at which it was taken, so that
/// it grows too over a database that was put back to an older state.
pub type Token = u64;

/// Names one server for as long as its data folder lasts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(Box<str>);

impl ServerId {
    /// Takes a text over; `None` unless 1 to 64 letters, digits and hyphens.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(fits)).then(|| Self(text.into()))
    }

    /// A new name.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server as the others know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub server: ServerId,
    /// Where the others reach its listener for reports, as `http://HOST:PORT`; `None` where they can't.
    pub reports: Option<String>,
    /// Until when it counts as alive, by the store's clock.
    pub until: Timestamp,
}

/// Who has a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Of which.
    pub share: Share,
    /// Who has it; `None` once it was given up.
    pub server: Option<ServerId>,
    /// Since when, in the order of takings.
    pub token: Token,
}

/// All that is known of servers and shares at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// By the store's clock.
    pub now: Timestamp,
    /// Those that said that they live, some of which have not for too long.
    pub members: Vec<Member>,
    /// Of every share that was ever taken.
    pub claims: Vec<Claim>,
}

impl Board {
    /// The servers that live.
    pub fn alive(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.until > self.now)
    }
}
