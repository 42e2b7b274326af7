use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Generation, SiteAddress};

/// What was found of a site, as last seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SiteStatus {
    /// The generation that this status is about: the store's, unless what runs was made for a newer one.
    pub observed_generation: Generation,
    /// WordPress instances that serve.
    pub num_instances: u16,
    /// Database instances that are Synced.
    pub database_instances: u8,
    /// Where it answers.
    pub address: Option<SiteAddress>,
    /// One each, in the order of [`ConditionKind::ALL`].
    pub conditions: Vec<Condition>,
    /// Each part with its state, in dependency order.
    pub parts: Vec<PartStatus>,
    /// What the site waits for, and why.
    pub waiting: Vec<String>,
    /// The last error, until a pass goes without one.
    pub last_error: Option<String>,
    /// When the next try is due, after an error.
    pub next_try: Option<Timestamp>,
    /// Of the WordPress that serves.
    pub wordpress_version: Option<String>,
    /// What its gateways were last seen to answer certificate authorities with, once the platform's names lead to them.
    pub challenge: Option<String>,
}

impl SiteStatus {
    /// The condition of this kind.
    #[must_use]
    pub fn condition(&self, kind: ConditionKind) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// The same, with every condition as of this time.
    #[must_use]
    pub fn as_of(mut self, since: Timestamp) -> Self {
        for condition in &mut self.conditions {
            condition.since = since;
        }
        self
    }

    /// Whether it has a gateway, whatever that does.
    #[must_use]
    pub fn has_gateway(&self) -> bool {
        self.parts.iter().any(|part| part.part.starts_with("gateway-"))
    }

    /// Whether the site serves as wanted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.condition(ConditionKind::Ready).is_some_and(|ready| ready.status == Truth::True)
    }
}

/// One part of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PartStatus {
    /// `network`, `database-0`, …
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub part: Cow<'static, str>,
    /// In a word or two: `running`, `absent`, `waiting for the database`…
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: Cow<'static, str>,
}

/// Something that is true of a site, false, or unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// What.
    pub kind: ConditionKind,
    /// Whether.
    pub status: Truth,
    /// Why, in one CamelCase word for programs.
    pub reason: Cow<'static, str>,
    /// Why, for people.
    pub message: Cow<'static, str>,
    /// Since when the status is this.
    pub since: Timestamp,
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub enum ConditionKind {
    /// Serves as wanted.
    Ready,
    /// Something is being changed.
    Progressing,
    /// Serves, with less than what is wanted.
    Degraded,
    /// The code is fetched and checked.
    CodeReady,
    /// The database takes writes.
    DatabaseReady,
    /// The address answers.
    AddressReady,
    /// Its names lead to its address.
    DnsReady,
    /// The domains that it asks for are its, and lead to it.
    DomainsReady,
    /// It has certificates for its names.
    CertificateReady,
    /// The database was founded anew after it had lost volumes, and with them perhaps its last writes, or everything.
    PossibleDataLoss,
    /// What runs was made for a newer generation than the store has; it stays as it is until the site is changed or
    /// confirmed by an update.
    StoreBehind,
    /// Rests, with its data kept.
    Suspended,
    /// Is going away.
    Deleting,
}

impl ConditionKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::Ready,
        Self::Progressing,
        Self::Degraded,
        Self::CodeReady,
        Self::DatabaseReady,
        Self::AddressReady,
        Self::DnsReady,
        Self::DomainsReady,
        Self::CertificateReady,
        Self::PossibleDataLoss,
        Self::StoreBehind,
        Self::Suspended,
        Self::Deleting,
    ];
}

/// True, false, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody can tell now.
    Unknown,
}
