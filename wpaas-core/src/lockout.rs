//! Wrong passwords in a row lock a name out, each time for longer, whichever server they are presented to. Whether
//! anybody has the name makes no difference.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::name::{Cid, Username};

/// The first time; doubled with each wrong one more.
const FIRST: SignedDuration = SignedDuration::from_secs(30);
/// The longest.
const MOST: SignedDuration = SignedDuration::from_hours(1);
/// Then a name is as new.
pub const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// What somebody signs in as, whatever its case. A digest, since people type passwords where names belong.
pub type NameDigest = [u8; 32];

/// Of a user of the customer `cid`, or without `cid` of a customer itself.
#[must_use]
pub fn digest(cid: Option<&Cid>, username: &Username) -> NameDigest {
    let name = cid.map_or_else(|| username.to_string(), |cid| format!("{cid}/{username}"));
    Sha256::digest(name.to_ascii_lowercase()).into()
}

/// Wrong passwords in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the last one was presented.
    pub last: Timestamp,
}

impl Failures {
    /// With one more.
    #[must_use]
    pub fn and_one(before: Option<Self>, now: Timestamp) -> Self {
        let recent = before.filter(|failures| failures.last > forgotten(now));
        Self { count: recent.map_or(0, |failures| failures.count).saturating_add(1), last: now }
    }

    /// How long no password of the name is looked at, where so many lock it out (0: none ever does); `None` when one is.
    #[must_use]
    pub fn wait(self, after: u32, now: Timestamp) -> Option<SignedDuration> {
        let beyond = self.count.checked_sub(after).filter(|_| after > 0)?;
        let locked = FIRST.checked_mul(1 << beyond.min(20)).unwrap_or(MOST).min(MOST);
        let until = self.last.saturating_add(locked).unwrap_or(Timestamp::MAX);
        (until > now).then(|| until.duration_since(now))
    }
}

/// What was presented last by then counts no more.
#[must_use]
pub fn forgotten(now: Timestamp) -> Timestamp {
    now.saturating_sub(FORGOTTEN).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn failed(times: &[i64]) -> Failures {
        times.iter().fold(None, |before, time| Some(Failures::and_one(before, at(*time)))).unwrap()
    }

    #[test]
    fn wrong_passwords_in_a_row_lock_out_for_longer_and_longer() {
        let wait = |failures: Failures, now| failures.wait(3, at(now)).map(|wait| wait.as_secs());
        assert_eq!(wait(failed(&[0, 0]), 0), None);
        let three = failed(&[0, 0, 0]);
        assert_eq!([0, 29, 30].map(|now| wait(three, now)), [Some(30), Some(1), None]);
        assert_eq!(wait(failed(&[0, 0, 0, 30]), 30), Some(60));
        assert_eq!(wait(failed(&[0; 40]), 0), Some(3600));
        assert_eq!(failed(&[0; 40]).wait(0, at(0)), None, "0 is never");
    }

    #[test]
    fn after_a_day_a_name_is_as_new() {
        assert_eq!(failed(&[0, 0, 86_399]).count, 3);
        assert_eq!(failed(&[0, 0, 86_400]).count, 1);
    }

    #[test]
    fn a_name_is_the_same_whatever_its_case_and_a_customers_users_are_its_own() {
        let (acme, blum): (Cid, Cid) = ("acm".parse().unwrap(), "blu".parse().unwrap());
        let of = |cid, name: &str| digest(cid, &name.parse().unwrap());
        assert_eq!(of(Some(&acme), "Ada"), of(Some(&acme), "ada"));
        assert_ne!(of(Some(&acme), "ada"), of(Some(&blum), "ada"));
        assert_ne!(of(None, "ada"), of(Some(&acme), "ada"));
    }
}
