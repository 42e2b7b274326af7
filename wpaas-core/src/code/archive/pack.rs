use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::layout::{self, Found};
use super::tree::too_large;
use super::{EntryPath, Stop, TreeWriter};
use crate::code::text::printable;
use crate::code::{CodeError, Digest, Layout, Limits};

/// When every entry of every release was changed: 2001-01-01.
const MTIME: u64 = 978_307_200;

/// A release's archive that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Of the archive.
    pub digest: Digest,
    /// What it holds.
    pub layout: Layout,
}

/// Checks the code in the folder `from` and packs the part to serve into the new file `to`. Blocks; ends soon
/// after `stop` is set.
///
/// The same content gives the same bytes, wherever it came from: entries are sorted, owners, modes and times
/// are constants, empty folders are left out (except the one that uploads are mounted at). Another version
/// of the compressor may give other bytes, and so another digest.
///
/// # Errors
///
/// `Refused` for anything but plain files and folders, for more than the limits, for what is no WordPress.
pub fn pack(from: &Path, to: &Path, limits: &Limits, stop: &Stop) -> Result<Packed, CodeError> {
    let mut walk = Walk { limits, stop, files: BTreeMap::new(), entries: 0, bytes: 0 };
    walk.folder(from, "")?;
    let names: BTreeSet<String> = walk.files.keys().cloned().collect();
    let found = layout::detect(&names)?;
    let digest = write(&walk.files, &found, to, stop)?;
    Ok(Packed { digest, layout: found.layout })
}

struct Walk<'a> {
    limits: &'a Limits,
    stop: &'a Stop,
    files: BTreeMap<String, PathBuf>,
    entries: u64,
    bytes: u64,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), CodeError> {
        for entry in fs::read_dir(folder)? {
            self.stop.check()?;
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let shown = printable(&name.to_string_lossy(), 120);
                return Err(CodeError::Refused(format!("the entry {shown:?} has a name that is not UTF-8")));
            };
            if !layout::is_litter(name) {
                self.entry(&entry, format!("{prefix}{name}"))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &fs::DirEntry, path: String) -> Result<(), CodeError> {
        EntryPath::parse(&path)?;
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = self.limits.entries;
            return Err(CodeError::Refused(format!("the code has more than {limit} files and folders")));
        }
        // Of the entry itself: what a link leads to is not looked at.
        let found = entry.metadata()?;
        if found.is_dir() {
            return self.folder(&entry.path(), &format!("{path}/"));
        }
        if !found.is_file() {
            return Err(TreeWriter::special(&path, "a link or a special file"));
        }
        self.bytes += found.len();
        if self.bytes > self.limits.bytes {
            return Err(too_large(self.limits));
        }
        self.files.insert(path, entry.path());
        Ok(())
    }
}

fn write(
    files: &BTreeMap<String, PathBuf>,
    found: &Found,
    to: &Path,
    stop: &Stop,
) -> Result<Digest, CodeError> {
    let hashed = Hashed { inner: BufWriter::new(File::create_new(to)?), hash: Sha256::new() };
    // The builder's defaults: no time, no name; the system is a constant.
    let mut tar = Builder::new(GzBuilder::new().operating_system(255).write(hashed, Compression::default()));
    for (path, file) in entries(files, found) {
        stop.check()?;
        match file {
            Some(file) => append_file(&mut tar, &path, file)?,
            None => tar.append_data(&mut header(EntryType::Directory, 0), format!("{path}/"), io::empty())?,
        }
    }
    let mut hashed = tar.into_inner()?.finish()?;
    hashed.flush()?;
    Ok(Digest::from_sha256(hashed.hash.finalize().into()))
}

/// Every folder (`None`) before what is in it.
fn entries<'a>(files: &'a BTreeMap<String, PathBuf>, found: &Found) -> BTreeMap<String, Option<&'a Path>> {
    let uploads = layout::uploads(found.layout);
    let mut entries = BTreeMap::from([(uploads.to_owned(), None)]);
    let below = files.iter().filter_map(|(path, file)| Some((path.strip_prefix(&found.root)?, file)));
    entries.extend(
        below
            .filter(|(path, _)| layout::keeps(found.layout, path))
            .map(|(path, file)| (path.to_owned(), Some(file.as_path()))),
    );
    let folders: BTreeSet<String> = entries.keys().flat_map(|path| folders_above(path)).collect();
    entries.extend(folders.into_iter().map(|folder| (folder, None)));
    entries
}

fn folders_above(path: &str) -> impl Iterator<Item = String> {
    path.match_indices('/').map(|(at, _)| path[..at].to_owned())
}

fn append_file<W: Write>(tar: &mut Builder<W>, path: &str, file: &Path) -> Result<(), CodeError> {
    let file = File::open(file)?;
    let size = file.metadata()?.len();
    Ok(tar.append_data(&mut header(EntryType::Regular, size), path, file.take(size))?)
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MTIME);
    header.set_size(size);
    header
}

struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
