use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::{CloudError, Page, Record, RecordChange, TextRecord};

const PAGE: usize = 300;
/// Changes of one request; an upsert counts twice.
const CHANGES: usize = 1000;
/// How long a change takes to be with all servers: "typically within 60 seconds".
const SPREADING: Duration = Duration::from_secs(30);

/// The A and TXT records of a hosted zone, and when each change was made.
#[derive(Debug, Default)]
pub(crate) struct Records {
    addresses: BTreeMap<String, Record>,
    texts: BTreeMap<String, TextRecord>,
    changes: Vec<Instant>,
}

impl Records {
    pub(crate) fn list(&self, next: Option<&str>) -> Page<Record> {
        let mut from = self.addresses.range(next.unwrap_or_default().to_owned()..);
        let items = from.by_ref().take(PAGE).map(|(_, record)| record.clone()).collect();
        Page { items, unreadable: 0, next: from.next().map(|(name, _)| name.clone()) }
    }

    /// All or none.
    pub(crate) fn change(&mut self, changes: &[RecordChange], now: Instant) -> Result<String, CloudError> {
        if changes.iter().map(weight).sum::<usize>() > CHANGES {
            return Err(invalid("Number of records limit of 1000 exceeded."));
        }
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

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.texts.get(name).into_iter().flat_map(|record| record.texts.iter().cloned()).collect()
    }
}

fn weight(change: &RecordChange) -> usize {
    match change {
        RecordChange::Upsert(_) | RecordChange::UpsertTexts(_) => 2,
        RecordChange::Delete(_) | RecordChange::DeleteTexts(_) => 1,
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
