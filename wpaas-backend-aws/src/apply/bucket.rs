//! Parts that live in the bucket: uploads and releases.

use futures::TryStreamExt as _;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use wpaas_core::code::Digest;
use wpaas_core::converge::{Applied, BackendError, ErrorClass, ObjectState, Part};

use super::Task;
use crate::cloud::{InstanceState, When};
use crate::error::conflict;
use crate::key::Note;
use crate::listing::{Listing, keys_below};
use crate::objects::object;
use crate::runs;

/// Objects removed in one step, at most; what is left is the next step's.
const AT_ONCE: usize = 20_000;
/// Objects of one call.
const PAGE: usize = 1000;

impl Task<'_> {
    /// A folder in the bucket needs no making, only the note that it is there.
    pub(super) async fn create_uploads(&self) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if let Some(note) = listing.note(self.step.site, self.step.part) {
            return Ok(present(note));
        }
        let note = self.note(true).await?;
        self.write_note(&note).await?;
        Ok(present(&note))
    }

    /// The note that it is being filled comes first, so that what a crash leaves is known.
    pub(super) async fn create_release(&self, digest: &Digest) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if let Some(note) = listing.note(self.step.site, self.step.part).filter(|note| note.whole) {
            return Ok(present(note));
        }
        let filling = self.note(false).await?;
        self.write_note(&filling).await?;
        self.upload(digest, &filling.segment).await?;
        let whole = Note { whole: true, ..filling.clone() };
        self.write_note(&whole).await?;
        let stale: Vec<_> = listing.notes.iter().filter(|note| note.part == self.step.part).collect();
        let stale = stale.into_iter().chain([&filling]).map(|note| self.inner.keys.note(note)).collect();
        self.delete(stale).await?;
        Ok(present(&whole))
    }

    async fn upload(&self, digest: &Digest, segment: &str) -> Result<(), BackendError> {
        let unreadable = |error: std::io::Error| {
            BackendError::new(ErrorClass::Transient, format!("the stored release {digest} can't be read"))
                .caused_by(error)
        };
        let file = tempfile::NamedTempFile::new().map_err(unreadable)?;
        let mut stream = self.inner.releases.open(digest).await.map_err(unreadable)?;
        let mut writer = tokio::fs::File::create(file.path()).await.map_err(unreadable)?;
        while let Some(bytes) = stream.try_next().await.map_err(unreadable)? {
            writer.write_all(&bytes).await.map_err(unreadable)?;
        }
        writer.flush().await.map_err(unreadable)?;
        let key = self.inner.keys.release(segment, self.step.part);
        let put = self.inner.cloud.bucket.put_file(&key, file.path()).await;
        put.map_err(|error| self.failed("storing", error))
    }

    async fn note(&self, whole: bool) -> Result<Note, BackendError> {
        let (segment, mark) = (self.segment().await?, (self.step.generation, self.step.epoch));
        Ok(Note { site: self.step.site, part: self.step.part, mark, segment, whole, since: 0 })
    }

    async fn write_note(&self, note: &Note) -> Result<(), BackendError> {
        let key = self.inner.keys.note(note);
        let put = self.inner.cloud.bucket.put(&key, Vec::new(), When::Always).await;
        put.map(drop).map_err(|error| self.failed("noting", error))
    }

    /// A release's archive, then its notes.
    pub(super) async fn remove_release(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if self.notes(&listing).all(|note| note.id() != id) {
            return Ok(Applied::Absent);
        }
        let segments =
            self.notes(&listing).map(|note| self.inner.keys.release(&note.segment, self.step.part));
        self.delete(segments.collect()).await?;
        self.remove_notes(&listing).await
    }

    /// All uploads, and what else is below the site's segment; the note last. Where there is too much for one
    /// step, the part stays, and the next step goes on.
    pub(super) async fn remove_uploads(&self, id: &str) -> Result<Applied, BackendError> {
        let listing = self.look().await?;
        if self.notes(&listing).all(|note| note.id() != id) {
            return Ok(Applied::Absent);
        }
        let live = listing.instances.iter().filter(|found| found.it.state != InstanceState::Terminated);
        if let Some(user) = live.map(|found| found.tag.part).find(|part| matches!(part, Part::Wordpress(_))) {
            return Err(conflict(format!("{} of {} is in use by {user}", self.step.part, self.step.site)));
        }
        for note in self.notes(&listing) {
            self.inner.tell_end(self.step.site, runs::of_note(note, Some(Timestamp::now()))).await?;
            let keys = &self.inner.keys;
            let mut left = Vec::new();
            for prefix in [keys.uploads(&note.segment), keys.releases(&note.segment)] {
                let below = keys_below(&self.inner.cloud, &prefix).await;
                left.extend(
                    below.map_err(|error| self.failed("listing", error))?.into_iter().map(|key| key.key),
                );
            }
            let rest = left.len() > AT_ONCE;
            left.truncate(AT_ONCE);
            left.push(keys.hosts(&note.segment));
            self.delete(left).await?;
            if rest {
                return Ok(present(note));
            }
        }
        self.remove_notes(&listing).await
    }

    async fn remove_notes(&self, listing: &Listing) -> Result<Applied, BackendError> {
        self.delete(self.notes(listing).map(|note| self.inner.keys.note(note)).collect()).await?;
        Ok(Applied::Absent)
    }

    fn notes<'l>(&self, listing: &'l Listing) -> impl Iterator<Item = &'l Note> + use<'l> {
        let (site, part) = (self.step.site, self.step.part);
        listing.notes.iter().filter(move |note| note.site == site && note.part == part)
    }

    pub(super) async fn delete(&self, keys: Vec<String>) -> Result<(), BackendError> {
        for keys in keys.chunks(PAGE) {
            let deleted = self.inner.cloud.bucket.delete(keys).await;
            deleted.map_err(|error| self.failed("removing", error))?;
        }
        Ok(())
    }
}

fn present(note: &Note) -> Applied {
    let state = if note.whole { ObjectState::Ready } else { ObjectState::Incomplete };
    Applied::Present(object(note.part, &note.id(), note.mark, state))
}
