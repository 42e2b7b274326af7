use std::io::Read;

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::{TreeWriter, damaged};
use crate::code::CodeError;
use crate::code::text::printable;

/// The most that a header which only describes the next entry may hold.
const LONGEST_HEADER: u64 = 64 << 10;

/// What headers said about the entry that follows them.
#[derive(Debug, Default)]
struct Ahead {
    path: Option<String>,
    link: Option<String>,
}

/// Reads a tar. Raw, because the crate's own reading of long names takes whatever size they claim.
pub(super) fn unpack(reader: impl Read, tree: &mut TreeWriter) -> Result<(), CodeError> {
    let mut archive = Archive::new(reader);
    let mut ahead = Ahead::default();
    for entry in archive.entries().map_err(|error| damaged(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => drop(small(&mut entry)?),
            EntryType::XHeader => ahead.read_pax(&small(&mut entry)?)?,
            EntryType::GNULongName => ahead.path = Some(name(&small(&mut entry)?)?),
            EntryType::GNULongLink => ahead.link = Some(name(&small(&mut entry)?)?),
            kind => unpack_entry(&mut entry, kind, std::mem::take(&mut ahead), tree)?,
        }
    }
    Ok(())
}

fn unpack_entry<R: Read>(
    entry: &mut Entry<'_, R>,
    kind: EntryType,
    ahead: Ahead,
    tree: &mut TreeWriter,
) -> Result<(), CodeError> {
    let path = match ahead.path {
        Some(path) => path,
        None => name(&entry.path_bytes())?,
    };
    match kind {
        EntryType::Directory => tree.folder(&path),
        // The oldest tars mark a folder by its name alone.
        EntryType::Regular | EntryType::Continuous if path.ends_with('/') => tree.folder(&path),
        EntryType::Regular | EntryType::Continuous => tree.file(&path, entry),
        EntryType::Symlink => {
            let link = ahead.link.map_or_else(|| name(&entry.link_name_bytes().unwrap_or_default()), Ok)?;
            tree.link(&path, &link)
        }
        EntryType::Link => Err(TreeWriter::special(&path, "a hard link")),
        EntryType::Char | EntryType::Block => Err(TreeWriter::special(&path, "a device")),
        EntryType::Fifo => Err(TreeWriter::special(&path, "a named pipe")),
        EntryType::GNUSparse => Err(TreeWriter::special(&path, "a sparse file")),
        _ => Err(TreeWriter::special(&path, "of an unknown kind")),
    }
}

impl Ahead {
    fn read_pax(&mut self, records: &[u8]) -> Result<(), CodeError> {
        for record in PaxExtensions::new(records) {
            let record = record.map_err(|error| damaged(&error))?;
            match record.key_bytes() {
                b"path" => self.path = Some(name(record.value_bytes())?),
                b"linkpath" => self.link = Some(name(record.value_bytes())?),
                b"size" => return Err(CodeError::Refused("the archive holds a file of several GB".into())),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(TreeWriter::special(self.path.as_deref().unwrap_or("?"), "a sparse file"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn small<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, CodeError> {
    if entry.size() > LONGEST_HEADER {
        return Err(CodeError::Refused("the archive has a name or header that is too long".into()));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    Ok(bytes)
}

fn name(bytes: &[u8]) -> Result<String, CodeError> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        let shown = printable(&String::from_utf8_lossy(bytes), 120);
        CodeError::Refused(format!("the entry {shown:?} has a name that is not UTF-8"))
    })
}
