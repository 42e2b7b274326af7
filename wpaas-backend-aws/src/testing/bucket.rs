use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::cloud::{Blob, CloudError, Key, Page, When};

const PAGE: usize = 1000;

/// The objects of a bucket. Listings are consistent, as S3's are.
#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<String, Stored>);

#[derive(Debug, Clone)]
struct Stored {
    content: Vec<u8>,
    etag: String,
    modified: i64,
}

impl Store {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(crate) fn list(&self, prefix: &str, next: Option<&str>) -> Page<Key> {
        let from = next.map_or_else(|| prefix.to_owned(), |next| format!("{next}\0"));
        let mut below = self.0.range(from..).take_while(|(key, _)| key.starts_with(prefix));
        let key = |(key, stored): (&String, &Stored)| Key {
            key: key.clone(),
            etag: stored.etag.clone(),
            modified: stored.modified,
        };
        let items: Vec<_> = below.by_ref().take(PAGE).map(key).collect();
        let more = below.next().is_some();
        let next = items.last().filter(|_| more).map(|key| key.key.clone());
        Page { items, unreadable: 0, next }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Blob> {
        self.0.get(key).map(|stored| Blob { content: stored.content.clone(), etag: stored.etag.clone() })
    }

    pub(crate) fn put(
        &mut self,
        key: &str,
        content: Vec<u8>,
        when: When<'_>,
        now: i64,
    ) -> Result<String, CloudError> {
        let there = self.0.get(key).map(|stored| stored.etag.as_str());
        let holds = match when {
            When::Always => true,
            When::Absent => there.is_none(),
            When::Is(etag) => there == Some(etag),
        };
        if !holds {
            let message = "At least one of the pre-conditions you specified did not hold";
            return Err(CloudError::new("PreconditionFailed", message));
        }
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&content)[..16]));
        self.0.insert(key.to_owned(), Stored { content, etag: etag.clone(), modified: now });
        Ok(etag)
    }

    /// Writes the same content again: only the time of writing is another.
    pub(crate) fn touch(&mut self, key: &str, now: i64) {
        if let Some(stored) = self.0.get_mut(key) {
            stored.modified = now;
        }
    }

    /// When an object was written.
    pub(crate) fn modified(&self, key: &str) -> Option<i64> {
        self.0.get(key).map(|stored| stored.modified)
    }

    /// The state of an object, without its content.
    pub(crate) fn etag(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|stored| stored.etag.as_str())
    }

    pub(crate) fn delete(&mut self, keys: &[String]) {
        for key in keys {
            self.0.remove(key);
        }
    }
}
