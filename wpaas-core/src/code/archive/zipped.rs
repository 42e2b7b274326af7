use std::fs::File;
use std::io::{BufReader, Read};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::meter::Meter;
use super::{TreeWriter, damaged};
use crate::code::text::printable;
use crate::code::{CodeError, Limits};

type Source = Meter<BufReader<File>>;

/// Reads a zip by its central directory.
pub(super) fn unpack(file: File, tree: &mut TreeWriter) -> Result<(), CodeError> {
    let mut archive = open(file, tree.limits())?;
    if archive.has_duplicate_names() {
        return Err(CodeError::Refused("the archive holds an entry twice".into()));
    }
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        unpack_entry(&mut entry, tree)?;
    }
    Ok(())
}

/// A directory of more entries than there may be is not read to its end.
fn open(file: File, limits: &Limits) -> Result<ZipArchive<Source>, CodeError> {
    let directory = limits.entries.saturating_mul(512).saturating_add(1 << 20);
    let (source, allowance) = Meter::new(BufReader::new(file), directory);
    let archive = ZipArchive::new(source);
    let too_many = allowance.is_used_up();
    allowance.set(u64::MAX);
    match archive {
        Ok(archive) if archive.len() as u64 <= limits.entries => Ok(archive),
        Err(error) if !too_many => Err(damaged(&error)),
        Ok(_) | Err(_) => {
            let limit = limits.entries;
            Err(CodeError::Refused(format!("the code has more than {limit} files and folders")))
        }
    }
}

fn unpack_entry(entry: &mut ZipFile<'_, Source>, tree: &mut TreeWriter) -> Result<(), CodeError> {
    let path = name(entry.name_raw())?;
    if entry.encrypted() {
        return Err(TreeWriter::special(&path, "encrypted"));
    }
    match entry.unix_mode().unwrap_or_default() & 0o170_000 {
        _ if entry.is_dir() => tree.folder(&path),
        0 | 0o100_000 => tree.file(&path, entry),
        0o120_000 => {
            let mut target = String::new();
            entry.take(4096).read_to_string(&mut target).map_err(|error| damaged(&error))?;
            tree.link(&path, &target)
        }
        _ => Err(TreeWriter::special(&path, "a device, a socket or a named pipe")),
    }
}

fn name(raw: &[u8]) -> Result<String, CodeError> {
    String::from_utf8(raw.to_vec()).map_err(|_| {
        let shown = printable(&String::from_utf8_lossy(raw), 120);
        CodeError::Refused(format!("the entry {shown:?} has a name that is not UTF-8"))
    })
}
