//! What is written on everything that the backend makes.

use wpaas_core::converge::{Fingerprint, Part, Step};
use wpaas_core::id::SiteId;
use wpaas_core::site::Generation;

use crate::cloud::{Filter, Tags};

const INSTALLATION: &str = "wpaas:installation";
const SITE: &str = "wpaas:site";
const PART: &str = "wpaas:part";
const FINGERPRINT: &str = "wpaas:fingerprint";
const GENERATION: &str = "wpaas:generation";
pub(crate) const EPOCH: &str = "wpaas:epoch";
/// Of an instance: which of those it is that were launched with the same parameters.
pub(crate) const LAUNCH: &str = "wpaas:launch";
/// What EC2 shows to people.
const NAME: &str = "Name";

/// The spec's revision and the server that made a part; a newer pair is not overruled by an older one.
pub(crate) type Mark = (Generation, u64);

/// The tags of one object, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    pub site: SiteId,
    pub part: Part,
    pub mark: Mark,
    /// Of a node's spec.
    pub fingerprint: Option<Fingerprint>,
}

/// Ours by its tag, but not to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Tag {
    /// What a step that makes this part writes.
    pub(crate) fn of(step: &Step) -> Self {
        let mark = (step.generation, step.epoch);
        Self { site: step.site, part: step.part, mark, fingerprint: None }
    }

    /// `None` for what is not this installation's.
    pub(crate) fn read(tags: &Tags, installation: &str) -> Result<Option<Self>, Unreadable> {
        let get = |key| tags.get(key).map(String::as_str);
        if get(INSTALLATION) != Some(installation) {
            return Ok(None);
        }
        let read = || {
            Some(Self {
                site: get(SITE)?.parse().ok()?,
                part: get(PART)?.parse().ok()?,
                mark: (get(GENERATION)?.parse().ok()?, get(EPOCH)?.parse().ok()?),
                fingerprint: get(FINGERPRINT).and_then(Fingerprint::parse),
            })
        };
        read().map(Some).ok_or(Unreadable)
    }

    /// As EC2 takes them.
    pub(crate) fn write(&self, installation: &str) -> Tags {
        let mut tags = Tags::from([
            (INSTALLATION.to_owned(), installation.to_owned()),
            (SITE.to_owned(), self.site.to_string()),
            (PART.to_owned(), self.part.to_string()),
            (GENERATION.to_owned(), self.mark.0.to_string()),
            (EPOCH.to_owned(), self.mark.1.to_string()),
            (NAME.to_owned(), format!("{installation} {} {}", self.site, self.part)),
        ]);
        tags.extend(self.fingerprint.map(|fingerprint| (FINGERPRINT.to_owned(), fingerprint.to_string())));
        tags
    }
}

/// Everything of this installation.
pub(crate) fn of_installation(installation: &str) -> Filter {
    Filter { tags: vec![(INSTALLATION.to_owned(), installation.to_owned())] }
}

/// Everything of one site.
pub(crate) fn of_site(installation: &str, site: SiteId) -> Filter {
    let mut filter = of_installation(installation);
    filter.tags.push((SITE.to_owned(), site.to_string()));
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_they_are_written_and_what_is_damaged_is_unreadable() {
        let fingerprint = Some(Fingerprint::of(["a"]));
        let tag = Tag { site: SiteId::new(), part: Part::Database(1), mark: (3, 4), fingerprint };
        let written = tag.write("lab");
        assert_eq!(Tag::read(&written, "lab"), Ok(Some(tag)));
        assert_eq!(Tag::read(&written, "another"), Ok(None));
        assert_eq!(Tag::read(&Tags::new(), "lab"), Ok(None));
        for key in [SITE, PART, GENERATION, EPOCH] {
            let mut damaged = written.clone();
            damaged.insert(key.to_owned(), "?".to_owned());
            assert_eq!(Tag::read(&damaged, "lab"), Err(Unreadable), "{key}");
            damaged.remove(key);
            assert_eq!(Tag::read(&damaged, "lab"), Err(Unreadable), "{key}");
        }
    }
}
