//! Archives: hostile ones are read ([`unpack`]), what they hold is told ([`layout`]), and a release of the
//! same content is always packed to the same bytes ([`pack`]).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{CodeError, Limits};

pub mod layout;
mod meter;
mod pack;
mod path;
mod tape;
mod tree;
mod zipped;

pub use pack::{Packed, pack};
pub use path::{EntryPath, InvalidPath};
#[cfg(feature = "git")]
pub(crate) use tree::too_large;
pub use tree::{Stop, StopOnDrop, TreeWriter};

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    TarGz,
}

/// Unpacks a .zip, .tar or .tar.gz into the empty folder `into`. Blocks; ends soon after `stop` is set.
///
/// Only plain files and folders come out of it. A symbolic link to a file in the same archive becomes a copy
/// of that file. Archives inside are not opened.
///
/// # Errors
///
/// `Refused` for what is no archive, is damaged, holds an entry that is not safe, or exceeds the limits.
pub fn unpack(file: &Path, into: &Path, limits: &Limits, stop: &Stop) -> Result<(), CodeError> {
    let mut tree = TreeWriter::new(into, limits, stop.clone());
    let mut file = File::open(file)?;
    match format(&mut file)? {
        Format::Zip => zipped::unpack(file, &mut tree)?,
        Format::Tar => tape::unpack(BufReader::new(file), &mut tree)?,
        Format::TarGz => tape::unpack(MultiGzDecoder::new(BufReader::new(file)), &mut tree)?,
    }
    tree.finish()
}

fn format(file: &mut File) -> Result<Format, CodeError> {
    let mut head = [0; 262];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..])? {
            0 => break,
            read => length += read,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    match &head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Format::Zip),
        [0x1f, 0x8b, ..] => Ok(Format::TarGz),
        _ if &head[257..262] == b"ustar" => Ok(Format::Tar),
        _ => Err(CodeError::Refused("the object is no archive: a .zip, .tar or .tar.gz is needed".into())),
    }
}

fn damaged(error: &dyn std::fmt::Display) -> CodeError {
    CodeError::Refused(format!("the archive is damaged: {}", super::text::printable(&error.to_string(), 200)))
}

#[cfg(test)]
mod tests;
