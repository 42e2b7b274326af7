use std::collections::BTreeMap;

use crate::cloud::{CloudError, Page, Record, RecordChange};

const PAGE: usize = 300;
/// Changes of one request; an upsert counts twice.
const CHANGES: usize = 1000;

/// The A records of a hosted zone.
#[derive(Debug, Default)]
pub(crate) struct Records(BTreeMap<String, Record>);

impl Records {
    pub(crate) fn list(&self, next: Option<&str>) -> Page<Record> {
        let mut from = self.0.range(next.unwrap_or_default().to_owned()..);
        let items = from.by_ref().take(PAGE).map(|(_, record)| record.clone()).collect();
        Page { items, unreadable: 0, next: from.next().map(|(name, _)| name.clone()) }
    }

    /// All or none.
    pub(crate) fn change(&mut self, changes: &[RecordChange]) -> Result<(), CloudError> {
        let invalid = |message: String| Err(CloudError::new("InvalidChangeBatch", message));
        let weight = |change: &RecordChange| if matches!(change, RecordChange::Upsert(_)) { 2 } else { 1 };
        if changes.iter().map(weight).sum::<usize>() > CHANGES {
            return invalid("Number of records limit of 1000 exceeded.".to_owned());
        }
        let mut new = self.0.clone();
        for change in changes {
            match change {
                RecordChange::Upsert(record) => drop(new.insert(record.name.clone(), record.clone())),
                RecordChange::Delete(record) if new.get(&record.name) == Some(record) => {
                    new.remove(&record.name);
                }
                RecordChange::Delete(Record { name, .. }) => {
                    return invalid(format!(
                        "Tried to delete resource record set [name='{name}', type='A'] but it was not found"
                    ));
                }
            }
        }
        self.0 = new;
        Ok(())
    }
}
