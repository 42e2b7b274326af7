use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::SiteId;

/// What a site is made of, in dependency order; the same for every backend.
///
/// Written `network`, `volume-database-0`, `volume-uploads`, `release-0123456789ab`, `database-0`,
/// `wordpress-0`, `gateway-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The site's own network.
    Network,
    /// The data of database node *n*.
    DatabaseVolume(u8),
    /// What visitors and editors upload.
    UploadsVolume,
    /// Code, by the first six bytes of its digest.
    Release([u8; 6]),
    /// Database node *n*.
    Database(u8),
    /// The WordPress node in slot *s*. Slots have no identity.
    Wordpress(u8),
    /// Gateway *n*.
    Gateway(u8),
}

impl Part {
    /// The highest number of WordPress slots: what fits into a /26 beside the other nodes.
    pub const WORDPRESS_SLOTS: u8 = 48;
    /// Nodes in the slots from this one on get none of the site's own traffic: they try a release, or show one
    /// under another name. So whether a node may serve visitors can be told from its slot, whatever it says.
    pub const APART_SLOTS: u8 = 40;

    /// Whether it is a WordPress node for the site's own traffic.
    #[must_use]
    pub const fn serves_visitors(self) -> bool {
        matches!(self, Self::Wordpress(slot) if slot < Self::APART_SLOTS)
    }

    /// Whether it is a WordPress node that tries or shows a release apart from the site's own traffic.
    #[must_use]
    pub const fn is_apart(self) -> bool {
        matches!(self, Self::Wordpress(slot) if slot >= Self::APART_SLOTS)
    }

    /// Whether removing it loses data.
    #[must_use]
    pub const fn holds_data(self) -> bool {
        matches!(self, Self::DatabaseVolume(_) | Self::UploadsVolume)
    }

    /// Whether it is a node: something that runs and reports.
    #[must_use]
    pub const fn is_node(self) -> bool {
        matches!(self, Self::Database(_) | Self::Wordpress(_) | Self::Gateway(_))
    }

    /// As it is written. The names of what every site has take no memory of their own.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        self.usual_name().map_or_else(|| self.to_string().into(), Cow::Borrowed)
    }

    /// Of what every site has.
    const fn usual_name(self) -> Option<&'static str> {
        match self {
            Self::Network => Some("network"),
            Self::DatabaseVolume(0) => Some("volume-database-0"),
            Self::UploadsVolume => Some("volume-uploads"),
            Self::Database(0) => Some("database-0"),
            Self::Wordpress(0) => Some("wordpress-0"),
            Self::Gateway(0) => Some("gateway-0"),
            _ => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.usual_name() {
            return f.write_str(name);
        }
        match self {
            Self::Network => f.write_str("network"),
            Self::DatabaseVolume(n) => write!(f, "volume-database-{n}"),
            Self::UploadsVolume => f.write_str("volume-uploads"),
            Self::Release(digest) => {
                f.write_str("release-")?;
                digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Database(n) => write!(f, "database-{n}"),
            Self::Wordpress(slot) => write!(f, "wordpress-{slot}"),
            Self::Gateway(n) => write!(f, "gateway-{n}"),
        }
    }
}

/// A text that names no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a part of a site")]
pub struct InvalidPart;

impl FromStr for Part {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let part = parse(text).ok_or(InvalidPart)?;
        // One spelling a part: `database-00` is none.
        if part.to_string() == text { Ok(part) } else { Err(InvalidPart) }
    }
}

fn parse(text: &str) -> Option<Part> {
    let (kind, number) = text.rsplit_once('-').unwrap_or((text, ""));
    match (kind, number) {
        ("network", "") => Some(Part::Network),
        ("volume", "uploads") => Some(Part::UploadsVolume),
        ("volume-database", n) => n.parse().ok().map(Part::DatabaseVolume),
        ("database", n) => n.parse().ok().map(Part::Database),
        ("wordpress", n) => n.parse().ok().map(Part::Wordpress),
        ("gateway", n) => n.parse().ok().map(Part::Gateway),
        ("release", digits) => {
            let mut digest = [0; 6];
            hex::decode_to_slice(digits, &mut digest).ok().map(|()| Part::Release(digest))
        }
        _ => None,
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A part of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// Whose.
    pub site: SiteId,
    /// Which.
    pub part: Part,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written() {
        let parts = [
            Part::Network,
            Part::DatabaseVolume(0),
            Part::DatabaseVolume(2),
            Part::UploadsVolume,
            Part::Release([1, 2, 3, 0xab, 0xcd, 0xef]),
            Part::Database(0),
            Part::Database(1),
            Part::Wordpress(0),
            Part::Wordpress(47),
            Part::Gateway(0),
            Part::Gateway(1),
        ];
        for part in parts {
            assert_eq!(part.to_string().parse(), Ok(part));
            assert_eq!(part.name(), part.to_string());
        }
        assert!(parts.is_sorted(), "dependency order");
        for bad in ["", "database", "database-00", "database--1", "database-256", "network-0", "release-01"] {
            assert_eq!(bad.parse::<Part>(), Err(InvalidPart), "{bad:?}");
        }
    }
}
