use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::{CloudError, Page, Record, RecordChange, TextRecord};
use crate::limiter::{Bucket, Quota};

const PAGE: usize = 300;
/// Changes of one request; an upsert counts twice.
const CHANGES: u32 = 1000;
/// Changes of all requests.
const OF_ALL: Quota = Quota { capacity: 1500, refill: 100 };
/// "Five requests per second per AWS account", taken at its word: in no second are there more.
const REQUESTS: usize = 5;
const SECOND: Duration = Duration::from_secs(1);
/// How long it works on a change; then it answers. Another change of the zone is refused meanwhile.
pub(super) const WORK: Duration = Duration::from_millis(500);
/// How long a change takes to be with all servers: "typically within 60 seconds".
const SPREADING: Duration = Duration::from_secs(30);

/// The A and TXT records of a hosted zone, and when each change was made.
#[derive(Debug)]
pub(crate) struct Records {
    addresses: BTreeMap<String, Record>,
    texts: BTreeMap<String, TextRecord>,
    changes: Vec<Instant>,
    /// Until when it works on the last change.
    works_until: Instant,
    /// When the last few requests came.
    requests: VecDeque<Instant>,
    room: Bucket,
}

impl Records {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            addresses: BTreeMap::new(),
            texts: BTreeMap::new(),
            changes: Vec::new(),
            works_until: now,
            requests: VecDeque::new(),
            room: Bucket::new(OF_ALL, now),
        }
    }

    /// Whether the account may ask one thing more now.
    pub(super) fn admits(&mut self, now: Instant) -> Result<(), CloudError> {
        self.requests.retain(|at| now.duration_since(*at) < SECOND);
        if self.requests.len() >= REQUESTS {
            return Err(too_fast());
        }
        self.requests.push_back(now);
        Ok(())
    }

    /// Somebody else's change, on which it works until then.
    pub(super) const fn work_until(&mut self, end: Instant) {
        self.works_until = end;
    }

    pub(crate) fn list(&self, next: Option<&str>) -> Page<Record> {
        let mut from = self.addresses.range(next.unwrap_or_default().to_owned()..);
        let items = from.by_ref().take(PAGE).map(|(_, record)| record.clone()).collect();
        Page { items, unreadable: 0, next: from.next().map(|(name, _)| name.clone()) }
    }

    /// All or none.
    pub(crate) fn change(&mut self, changes: &[RecordChange], now: Instant) -> Result<String, CloudError> {
        let weight = changes.iter().map(RecordChange::weight).sum();
        if weight > CHANGES {
            return Err(invalid("Number of records limit of 1000 exceeded."));
        }
        if now < self.works_until {
            let message = "The request was rejected because Route 53 was still processing a prior request.";
            return Err(CloudError::new(CloudError::PRIOR_CHANGE, message));
        }
        self.room.take_many(weight, 0, now).map_err(|_later| too_fast())?;
        let (mut addresses, mut texts) = (self.addresses.clone(), self.texts.clone());
        for change in changes {
            match change {
                RecordChange::Upsert(record) => drop(addresses.insert(record.name.clone(), record.clone())),
                RecordChange::UpsertTexts(record) => drop(texts.insert(record.name.clone(), record.clone())),
                RecordChange::Delete(record) => remove(&mut addresses, &record.name, record, 'A')?,
                RecordChange::DeleteTexts(record) => remove(&mut texts, &record.name, record, "TXT")?,
            }
        }
        (self.addresses, self.texts) = (addresses, texts);
        self.changes.push(now);
        self.works_until = now + WORK;
        Ok(format!("/change/C{}", self.changes.len()))
    }

    pub(crate) fn in_sync(&self, change: &str, now: Instant) -> Result<bool, CloudError> {
        let number: Option<usize> =
            change.trim_start_matches("/change/").strip_prefix('C').and_then(|number| number.parse().ok());
        let made = number.and_then(|number| self.changes.get(number.checked_sub(1)?));
        let made =
            made.ok_or_else(|| CloudError::new("NoSuchChange", "A change with this id does not exist"))?;
        Ok(now.duration_since(*made) >= SPREADING)
    }

    pub(super) fn names(&self) -> usize {
        self.addresses.len()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.texts.get(name).into_iter().flat_map(|record| record.texts.iter().cloned()).collect()
    }
}

fn remove<R: PartialEq>(
    there: &mut BTreeMap<String, R>,
    name: &str,
    record: &R,
    kind: impl std::fmt::Display,
) -> Result<(), CloudError> {
    if there.get(name) != Some(record) {
        let what = format!("[name='{name}', type='{kind}']");
        return Err(invalid(format!("Tried to delete resource record set {what} but it was not found")));
    }
    there.remove(name);
    Ok(())
}

fn invalid(message: impl Into<String>) -> CloudError {
    CloudError::new("InvalidChangeBatch", message)
}

/// What Route 53 says to a throttled request.
pub(super) fn too_fast() -> CloudError {
    CloudError::new("Throttling", "Rate exceeded")
}
