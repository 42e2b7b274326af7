use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as people write it: `30s`, `24h`, `7d`, `0s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(SignedDuration);

/// A text that is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a length of time such as 30s, 24h or 7d, and not negative")]
pub struct InvalidPeriod;

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(SignedDuration::from_secs(seconds as i64))
    }

    /// As the standard library has it.
    #[must_use]
    pub fn as_std(self) -> Duration {
        self.0.unsigned_abs()
    }

    /// As timestamps take it.
    #[must_use]
    pub const fn as_signed(self) -> SignedDuration {
        self.0
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        if text == "0" {
            return Ok(Self::seconds(0));
        }
        let span: Span = text.parse().map_err(|_| InvalidPeriod)?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| InvalidPeriod)?;
        if duration.is_negative() { Err(InvalidPeriod) } else { Ok(Self(duration)) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_written_as_people_do() {
        let seconds = |text: &str| text.parse::<Period>().map(|period| period.as_std().as_secs());
        assert_eq!(seconds("0"), Ok(0));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("7d"), Ok(604_800));
        for bad in ["", "7", "-1s", "1mo", "x"] {
            assert_eq!(seconds(bad), Err(InvalidPeriod), "{bad:?}");
        }
        assert_eq!(Period::seconds(86_400).to_string().parse(), Ok(Period::seconds(86_400)));
    }
}
