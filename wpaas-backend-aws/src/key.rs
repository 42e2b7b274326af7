//! The keys of the bucket, all below the installation's name.
//!
//! - `nodes/ROLE:INSTANCE`: the files of a node. The bucket's policy lets only that instance read it.
//! - `reports/ROLE:INSTANCE`: what a node said last. Only that instance may write it.
//! - `parts/SITE/PART/MARK`: that a part which lives in the bucket is there. Nodes see nothing below.
//! - `sites/SEGMENT`: the addresses of a site's nodes.
//! - `uploads/SEGMENT/…`, `releases/SEGMENT/…`: a site's uploads and releases.
//!
//! A segment can't be guessed, and only its own site's nodes are told it: that is what keeps sites apart where a
//! policy, which does not know of sites, can't.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wpaas_core::converge::Part;
use wpaas_core::id::SiteId;
use wpaas_core::secret::Secret;

use crate::cloud::Key;
use crate::tag::Mark;

/// Makes the keys of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    root: String,
    role: String,
}

impl Keys {
    pub(crate) fn new(installation: &str, role_id: &str) -> Self {
        Self { root: installation.to_owned(), role: role_id.to_owned() }
    }

    /// What all keys of this folder begin with.
    pub(crate) fn folder(&self, name: &str) -> String {
        format!("{}/{name}/", self.root)
    }

    pub(crate) fn node(&self, instance: &str) -> String {
        format!("{}/nodes/{}:{instance}", self.root, self.role)
    }

    pub(crate) fn report(&self, instance: &str) -> String {
        format!("{}/reports/{}:{instance}", self.root, self.role)
    }

    /// The instance of a node's or report's key.
    pub(crate) fn instance<'k>(&self, key: &'k str) -> Option<&'k str> {
        let (_, name) = key.rsplit_once('/')?;
        let (role, instance) = name.split_once(':')?;
        (role == self.role).then_some(instance)
    }

    pub(crate) fn hosts(&self, segment: &str) -> String {
        format!("{}/sites/{segment}", self.root)
    }

    pub(crate) fn uploads(&self, segment: &str) -> String {
        format!("{}/uploads/{segment}/", self.root)
    }

    pub(crate) fn release(&self, segment: &str, part: Part) -> String {
        format!("{}/releases/{segment}/{part}.tar.gz", self.root)
    }

    /// Everything of a site's releases, or of one.
    pub(crate) fn releases(&self, segment: &str) -> String {
        format!("{}/releases/{segment}/", self.root)
    }

    pub(crate) fn site(&self, site: SiteId) -> String {
        format!("{}/parts/{site}/", self.root)
    }

    pub(crate) fn note(&self, note: &Note) -> String {
        let Note { site, part, mark: (generation, epoch), segment, whole, since: _ } = note;
        let filling = if *whole { "" } else { ".filling" };
        format!("{}{part}/{generation}.{epoch}.{segment}{filling}", self.site(*site))
    }

    /// What a key below `parts` says; `None` if it can't be understood.
    pub(crate) fn read_note(&self, Key { key, modified, .. }: &Key) -> Option<Note> {
        let rest = key.strip_prefix(&self.folder("parts"))?;
        let [site, part, mark] = rest.splitn(3, '/').collect::<Vec<_>>().try_into().ok()?;
        let (mark, whole) = mark.strip_suffix(".filling").map_or((mark, true), |mark| (mark, false));
        let [generation, epoch, segment] = mark.splitn(3, '.').collect::<Vec<_>>().try_into().ok()?;
        let mark = (generation.parse().ok()?, epoch.parse().ok()?);
        Some(Note {
            site: site.parse().ok()?,
            part: part.parse().ok()?,
            mark,
            segment: segment.to_owned(),
            whole,
            since: *modified,
        })
    }
}

/// That a part which lives in the bucket is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub site: SiteId,
    pub part: Part,
    pub mark: Mark,
    pub segment: String,
    /// Of a release: whether all of it is there.
    pub whole: bool,
    /// When it was written, in seconds since 1970; 0 of one that was not read.
    pub since: i64,
}

impl Note {
    /// The object's id: the last part of its key.
    pub(crate) fn id(&self) -> String {
        format!("{}.{}.{}", self.mark.0, self.mark.1, self.segment)
    }
}

/// The site's own segment, 32 hex digits that follow from its seed.
pub(crate) fn segment(site: SiteId, salt: &Secret) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt.expose().as_bytes()) else {
        unreachable!("HMAC takes a key of any length")
    };
    mac.update(b"wpaas: the segment in the bucket of ");
    mac.update(site.to_string().as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_is_written() {
        let keys = Keys::new("lab", "AROA1");
        let read = |key: &str| keys.read_note(&Key { key: key.to_owned(), etag: String::new(), modified: 7 });
        for (part, whole) in [(Part::UploadsVolume, true), (Part::Release([1; 6]), false)] {
            let segment = segment(SiteId::new(), &Secret::new("salt".into()));
            let note = Note { site: SiteId::new(), part, mark: (3, 4), segment, whole, since: 7 };
            assert_eq!(read(&keys.note(&note)), Some(note));
        }
        for bad in ["lab/parts/x", "other/parts/a/b/c", "lab/parts/site_x/volume-uploads/1.1.a"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn segments_differ_by_site() {
        let (one, other) = (Secret::new("one".into()), Secret::new("other".into()));
        let site = SiteId::new();
        assert_ne!(segment(site, &one), segment(site, &other));
        assert_ne!(segment(site, &one), segment(SiteId::new(), &one));
        assert_eq!(segment(site, &one).len(), 32);
    }

    #[test]
    fn only_keys_of_the_nodes_role_name_an_instance() {
        let keys = Keys::new("lab", "AROA1");
        assert_eq!(keys.instance(&keys.report("i-1")), Some("i-1"));
        assert_eq!(keys.instance("lab/reports/AROA2:i-1"), None);
    }
}
