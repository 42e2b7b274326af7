//! What is written on everything that the backend makes.

use std::collections::HashMap;

use wpaas_core::converge::{Fingerprint, Part, Step};
use wpaas_core::id::SiteId;
use wpaas_core::site::Generation;

/// Whose: separates installations.
pub(crate) const INSTALLATION: &str = "wpaas.installation";
/// Of which site.
pub(crate) const SITE: &str = "wpaas.site";
const PART: &str = "wpaas.part";
pub(crate) const FINGERPRINT: &str = "wpaas.fingerprint";
/// Of what belongs to no one site.
pub(crate) const FLEET: &str = "wpaas.fleet";
const GENERATION: &str = "wpaas.generation";
const EPOCH: &str = "wpaas.epoch";
/// When a volume was made: the Engine's own answer changes with what is written to it.
pub(crate) const MADE: &str = "wpaas.made";
/// What the Engine was told of the container's host side, so that a later change of it shows.
const HOST: &str = "wpaas.host";

/// The spec's revision and the server that made a part; a newer pair is not overruled by an older one.
pub(crate) type Mark = (Generation, u64);

/// The labels of one object, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Labels {
    pub site: SiteId,
    pub part: Part,
    pub mark: Mark,
    /// Of a node's spec.
    pub fingerprint: Option<Fingerprint>,
    /// Of a node's host side.
    pub host: Option<Fingerprint>,
}

/// Ours by its label, but not to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Labels {
    /// What a step that makes this part writes.
    pub(crate) fn of(step: &Step) -> Self {
        let mark = (step.generation, step.epoch);
        Self { site: step.site, part: step.part, mark, fingerprint: None, host: None }
    }

    /// `None` for what is not this installation's, or belongs to no one site.
    pub(crate) fn read(
        labels: &HashMap<String, String>,
        installation: &str,
    ) -> Result<Option<Self>, Unreadable> {
        let get = |key| labels.get(key).map(String::as_str);
        if get(INSTALLATION) != Some(installation) || labels.contains_key(FLEET) {
            return Ok(None);
        }
        let read = || {
            Some(Self {
                site: get(SITE)?.parse().ok()?,
                part: get(PART)?.parse().ok()?,
                mark: (get(GENERATION)?.parse().ok()?, get(EPOCH)?.parse().ok()?),
                fingerprint: get(FINGERPRINT).and_then(Fingerprint::parse),
                host: get(HOST).and_then(Fingerprint::parse),
            })
        };
        read().map(Some).ok_or(Unreadable)
    }

    /// As the Engine takes them.
    pub(crate) fn write(&self, installation: &str) -> HashMap<String, String> {
        let mut labels = HashMap::from([
            (INSTALLATION.to_owned(), installation.to_owned()),
            (SITE.to_owned(), self.site.to_string()),
            (PART.to_owned(), self.part.to_string()),
            (GENERATION.to_owned(), self.mark.0.to_string()),
            (EPOCH.to_owned(), self.mark.1.to_string()),
        ]);
        // What is no node has no spec beside its name. Nothing of it changes, so that nothing is compared with this, and
        // what was made without it is as good.
        let own = self.fingerprint.unwrap_or_else(|| Fingerprint::of([self.part.to_string().as_str()]));
        for (key, fingerprint) in [(FINGERPRINT, Some(own)), (HOST, self.host)] {
            labels.extend(fingerprint.map(|fingerprint| (key.to_owned(), fingerprint.to_string())));
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            site: SiteId::new(),
            part: Part::Database(1),
            mark: (3, 4),
            fingerprint: Some(Fingerprint::of(["a"])),
            host: Some(Fingerprint::of(["b"])),
        }
    }

    #[test]
    fn labels_are_read_as_they_are_written() {
        let labels = labels();
        assert_eq!(Labels::read(&labels.write("lab"), "lab"), Ok(Some(labels)));
    }

    #[test]
    fn what_is_not_ours_is_nothing_and_what_is_damaged_is_unreadable() {
        let written = labels().write("lab");
        assert_eq!(Labels::read(&written, "another"), Ok(None));
        assert_eq!(Labels::read(&HashMap::new(), "lab"), Ok(None));
        for key in [SITE, PART, GENERATION, EPOCH] {
            let mut damaged = written.clone();
            damaged.insert(key.to_owned(), "?".to_owned());
            assert_eq!(Labels::read(&damaged, "lab"), Err(Unreadable), "{key}");
            damaged.remove(key);
            assert_eq!(Labels::read(&damaged, "lab"), Err(Unreadable), "{key}");
        }
    }

    #[test]
    fn everything_carries_a_fingerprint() {
        for part in [Part::Network, Part::UploadsVolume, Part::DatabaseVolume(0), Part::Release([1; 6])] {
            let labels = Labels { part, fingerprint: None, ..labels() };
            let own = Fingerprint::of([part.to_string().as_str()]);
            let read = Labels::read(&labels.write("lab"), "lab").unwrap().unwrap();
            assert_eq!(read, Labels { fingerprint: Some(own), ..labels }, "{part}");
        }
    }

    #[test]
    fn a_damaged_fingerprint_is_none() {
        let mut written = labels().write("lab");
        written.insert(FINGERPRINT.to_owned(), "XYZ".to_owned());
        assert_eq!(Labels::read(&written, "lab").unwrap().unwrap().fingerprint, None);
    }
}
