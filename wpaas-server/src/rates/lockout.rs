//! Wrong passwords in a row lock a name out, each time for longer. Whether anybody has the name makes no difference.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The first time; doubled with each wrong one more.
const FIRST: SignedDuration = SignedDuration::from_secs(30);
/// The longest.
const MOST: SignedDuration = SignedDuration::from_hours(1);
/// Then a name is as new.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);
/// Names that are remembered.
const NAMES: usize = 100_000;

/// The names with wrong passwords in a row.
#[derive(Debug)]
pub struct Lockout {
    /// So many lock out; 0 never does.
    after: u32,
    names: Mutex<HashMap<String, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    /// Until when the name is locked out.
    fn until(self, after: u32) -> Timestamp {
        let Some(beyond) = self.count.checked_sub(after) else { return self.last };
        let locked = FIRST.checked_mul(1 << beyond.min(20)).unwrap_or(MOST).min(MOST);
        self.last.saturating_add(locked).unwrap_or(Timestamp::MAX)
    }

    fn is_recent(self, now: Timestamp) -> bool {
        now.duration_since(self.last) < FORGOTTEN
    }
}

impl Lockout {
    /// Locks out after so many; 0 is never.
    pub fn new(after: u32) -> Self {
        Self { after, names: Mutex::default() }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this name has to wait; `None` when it has not.
    pub fn wait(&self, name: &str, now: Timestamp) -> Option<Duration> {
        let until = self.names().get(&name.to_ascii_lowercase())?.until(self.after);
        (until > now).then(|| until.duration_since(now).unsigned_abs())
    }

    /// One more wrong password.
    pub fn failed(&self, name: &str, now: Timestamp) {
        if self.after == 0 {
            return;
        }
        let mut names = self.names();
        if names.len() >= NAMES {
            names.retain(|_, failures| failures.is_recent(now) && failures.count >= self.after);
        }
        let failures = names.entry(name.to_ascii_lowercase()).or_insert(Failures { count: 0, last: now });
        let before = if failures.is_recent(now) { failures.count } else { 0 };
        *failures = Failures { count: before + 1, last: now };
    }

    /// The right one.
    pub fn forget(&self, name: &str) {
        self.names().remove(&name.to_ascii_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: u32 = 10;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn wrong_passwords_in_a_row_lock_out_for_longer_and_longer() {
        let lockout = Lockout::new(FREE);
        let seconds = |now| lockout.wait("acm/Ada", at(now)).map(|wait| wait.as_secs());
        for _ in 0..FREE - 1 {
            lockout.failed("acm/ada", at(0));
        }
        assert_eq!(seconds(0), None);
        lockout.failed("acm/ADA", at(0));
        assert_eq!((seconds(0), seconds(29), seconds(30)), (Some(30), Some(1), None));
        lockout.failed("acm/ada", at(30));
        assert_eq!(seconds(30), Some(60));
        for _ in 0..40 {
            lockout.failed("acm/ada", at(100));
        }
        assert_eq!(seconds(100), Some(3600));
        assert_eq!(lockout.wait("acm/bob", at(100)), None, "another is not locked out");
    }

    #[test]
    fn the_right_one_and_a_day_make_it_as_new() {
        let lockout = Lockout::new(FREE);
        let fail = |now| (0..FREE).for_each(|_| lockout.failed("ada", at(now)));
        fail(0);
        assert!(lockout.wait("ada", at(1)).is_some());
        lockout.forget("ada");
        assert!(lockout.wait("ada", at(1)).is_none());
        fail(0);
        lockout.failed("ada", at(86_400));
        assert!(lockout.wait("ada", at(86_400)).is_none());
    }
}
