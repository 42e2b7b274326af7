use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::EntryPath;
use crate::code::text::printable;
use crate::code::{CodeError, Limits};

/// Tells work on another thread that nobody waits for it any more.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Sets a [`Stop`] when it goes, as the future does that holds it.
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Stop {
    /// A guard that sets it.
    #[must_use]
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Goes on as long as it is not set.
    ///
    /// # Errors
    ///
    /// `Unavailable` once it is.
    pub fn check(&self) -> Result<(), CodeError> {
        if self.0.load(Ordering::Relaxed) { Err(CodeError::Unavailable("cancelled".into())) } else { Ok(()) }
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Link,
}

/// Writes a source's entries into a folder, and refuses what a release may not hold. Counts what is really
/// written, whatever a header promised.
#[derive(Debug)]
pub struct TreeWriter {
    root: PathBuf,
    limits: Limits,
    stop: Stop,
    bytes: u64,
    seen: HashMap<String, (EntryPath, Kind)>,
    links: Vec<(EntryPath, EntryPath)>,
}

impl TreeWriter {
    /// Into the folder `root`, which exists and is empty.
    #[must_use]
    pub fn new(root: &Path, limits: &Limits, stop: Stop) -> Self {
        let (root, limits) = (root.to_owned(), *limits);
        Self { root, limits, stop, bytes: 0, seen: HashMap::new(), links: Vec::new() }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A folder; it may have been there.
    ///
    /// # Errors
    ///
    /// When there is a file in its place, or too much.
    pub fn folder(&mut self, path: &str) -> Result<(), CodeError> {
        let Some(path) = EntryPath::parse(path)? else { return Ok(()) };
        self.folders_above(&path)?;
        self.make_folder(path)
    }

    /// A file with this content.
    ///
    /// # Errors
    ///
    /// When there is something in its place, or too much, or when the content can't be read.
    pub fn file(&mut self, path: &str, content: &mut dyn Read) -> Result<(), CodeError> {
        let Some(path) = EntryPath::parse(path)? else { return Err(refused("an entry has no name")) };
        self.folders_above(&path)?;
        self.note(path.clone(), Kind::File)?;
        self.write(&path, content)
    }

    /// A symbolic link: it becomes a copy of the file it leads to, once all is there.
    ///
    /// # Errors
    ///
    /// When it leads out, or when there is something in its place.
    pub fn link(&mut self, path: &str, target: &str) -> Result<(), CodeError> {
        let Some(path) = EntryPath::parse(path)? else { return Err(refused("an entry has no name")) };
        let Some(inside) = path.target(target) else {
            let target = printable(target, 120);
            return Err(refused(format!(
                "the link {:?} leads out of the code, to {target:?}",
                path.as_str()
            )));
        };
        self.folders_above(&path)?;
        self.note(path.clone(), Kind::Link)?;
        self.links.push((path, inside));
        Ok(())
    }

    /// An entry that is neither file, folder nor symbolic link.
    #[must_use]
    pub fn special(path: &str, what: &str) -> CodeError {
        refused(format!("the entry {:?} is {what}; code is files and folders only", printable(path, 120)))
    }

    /// Copies the files that links lead to.
    ///
    /// # Errors
    ///
    /// When a link leads to no file, or the copies are too much.
    pub fn finish(mut self) -> Result<(), CodeError> {
        for (path, target) in std::mem::take(&mut self.links) {
            let found = self.seen.get(&key(target.as_str()));
            if found != Some(&(target.clone(), Kind::File)) {
                let text =
                    "leads to no file of the code; links to folders and to other links are not followed";
                return Err(refused(format!("the link {:?} {text}", path.as_str())));
            }
            let mut content = File::open(self.root.join(target.as_str()))?;
            self.write(&path, &mut content)?;
        }
        Ok(())
    }

    fn folders_above(&mut self, path: &EntryPath) -> Result<(), CodeError> {
        for folder in path.folders() {
            if let Some(folder) = EntryPath::parse(folder)? {
                self.make_folder(folder)?;
            }
        }
        Ok(())
    }

    fn make_folder(&mut self, path: EntryPath) -> Result<(), CodeError> {
        let place = self.root.join(path.as_str());
        if self.note(path, Kind::Folder)? {
            // Not with its parents: a root that was removed meanwhile must stay so.
            fs::create_dir(place)?;
        }
        Ok(())
    }

    /// Whether it is new; the same twice, or in another case, is two readings of one archive.
    fn note(&mut self, path: EntryPath, kind: Kind) -> Result<bool, CodeError> {
        self.stop.check()?;
        match self.seen.get(&key(path.as_str())) {
            Some((same, Kind::Folder)) if kind == Kind::Folder && *same == path => return Ok(false),
            Some((same, _)) if *same == path => {
                return Err(refused(format!("the entry {:?} is there twice", path.as_str())));
            }
            Some((other, _)) => {
                let (path, other) = (path.as_str(), other.as_str());
                return Err(refused(format!("the entries {other:?} and {path:?} differ only in case")));
            }
            None => {}
        }
        if self.seen.len() as u64 >= self.limits.entries {
            let limit = self.limits.entries;
            return Err(refused(format!("the code has more than {limit} files and folders")));
        }
        self.seen.insert(key(path.as_str()), (path, kind));
        Ok(true)
    }

    fn write(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<(), CodeError> {
        let mut file = File::create_new(self.root.join(path.as_str()))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.stop.check()?;
            let read = match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(super::damaged(&error)),
            };
            self.bytes += read as u64;
            if self.bytes > self.limits.bytes {
                return Err(too_large(&self.limits));
            }
            file.write_all(&buffer[..read])?;
        }
    }
}

/// The answer to code of too many bytes.
pub(crate) fn too_large(limits: &Limits) -> CodeError {
    refused(format!("the code is larger than {} bytes", limits.bytes))
}

fn key(path: &str) -> String {
    path.to_lowercase()
}

fn refused(why: impl Into<String>) -> CodeError {
    CodeError::Refused(why.into())
}
