use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::code::archive::{Stop, TreeWriter, too_large};
use crate::code::text::printable;
use crate::code::{CodeError, Limits};

/// The command that gives out objects on request.
pub(super) const BATCH: [&str; 2] = ["cat-file", "--batch"];

/// The command that lists all files of a tree, with their sizes.
pub(super) fn listing(tree: &str) -> [&str; 6] {
    ["ls-tree", "-r", "-l", "-z", "--full-tree", tree]
}

/// Writes a tree's files into a folder: the very bytes that were committed, without a checkout, so that no
/// attribute, filter or hook has a say. Blocks.
pub(super) fn extract(
    listing: Command,
    batch: Command,
    into: &Path,
    limits: &Limits,
    stop: &Stop,
) -> Result<(), CodeError> {
    let entries = list(listing, limits, stop)?;
    let mut batch = Batch::start(batch)?;
    let mut tree = TreeWriter::new(into, limits, stop.clone());
    for entry in &entries {
        write(entry, &mut batch, &mut tree)?;
    }
    tree.finish()
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    mode: u32,
    id: String,
    path: String,
}

/// All is known of the sizes before the first byte is written.
fn list(command: Command, limits: &Limits, stop: &Stop) -> Result<Vec<Entry>, CodeError> {
    let mut child = Running::start(command, Stdio::null())?;
    let mut output = BufReader::new(child.0.stdout.take().ok_or_else(broken)?);
    let (mut entries, mut bytes, mut line) = (Vec::new(), 0_u64, Vec::new());
    loop {
        stop.check()?;
        line.clear();
        if output.read_until(0, &mut line)? == 0 {
            break;
        }
        let (entry, size) = parse(&line)?;
        bytes = bytes.saturating_add(size);
        if bytes > limits.bytes {
            return Err(too_large(limits));
        }
        if entries.len() as u64 >= limits.entries {
            let limit = limits.entries;
            return Err(CodeError::Refused(format!("the code has more than {limit} files and folders")));
        }
        entries.push(entry);
    }
    if child.0.wait()?.success() { Ok(entries) } else { Err(broken()) }
}

/// `MODE TYPE ID SIZE<tab>PATH<nul>`; the size of a submodule is `-`.
fn parse(line: &[u8]) -> Result<(Entry, u64), CodeError> {
    let line = std::str::from_utf8(line.strip_suffix(b"\0").unwrap_or(line)).map_err(|_| {
        let shown = printable(&String::from_utf8_lossy(line), 200);
        CodeError::Refused(format!("the entry {shown:?} has a name that is not UTF-8"))
    })?;
    let (facts, path) = line.split_once('\t').ok_or_else(broken)?;
    let mut facts = facts.split_ascii_whitespace();
    let mode = facts.next().and_then(|mode| u32::from_str_radix(mode, 8).ok()).ok_or_else(broken)?;
    let id = facts.nth(1).ok_or_else(broken)?.to_owned();
    let size = facts.next().and_then(|size| size.parse().ok()).unwrap_or(0);
    Ok((Entry { mode, id, path: path.to_owned() }, size))
}

fn write(entry: &Entry, batch: &mut Batch, tree: &mut TreeWriter) -> Result<(), CodeError> {
    match entry.mode {
        0o160_000 => Err(TreeWriter::special(&entry.path, "a submodule, which is not fetched")),
        0o120_000 => {
            let mut target = String::new();
            let read = batch.object(&entry.id, |content| content.take(4096).read_to_string(&mut target));
            read?.map_err(|_| TreeWriter::special(&entry.path, "a link to nowhere"))?;
            tree.link(&entry.path, &target)
        }
        _ => batch.object(&entry.id, |content| tree.file(&entry.path, content))?,
    }
}

/// A process that ends with this value.
struct Running(Child);

impl Running {
    fn start(mut command: Command, input: Stdio) -> Result<Self, CodeError> {
        Ok(Self(command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, and then both do nothing.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `git cat-file --batch`: an id is written, the object is read.
struct Batch {
    process: Running,
    output: BufReader<std::process::ChildStdout>,
}

impl Batch {
    fn start(command: Command) -> Result<Self, CodeError> {
        let mut process = Running::start(command, Stdio::piped())?;
        let output = BufReader::new(process.0.stdout.take().ok_or_else(broken)?);
        Ok(Self { process, output })
    }

    /// Has the object's content read by `reader`, and leaves the stream behind it.
    fn object<T>(&mut self, id: &str, reader: impl FnOnce(&mut dyn Read) -> T) -> Result<T, CodeError> {
        let input = self.process.0.stdin.as_mut().ok_or_else(broken)?;
        writeln!(input, "{id}")?;
        input.flush()?;
        let mut head = String::new();
        self.output.read_line(&mut head)?;
        let size = head.trim().rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(broken)?;
        let mut content = (&mut self.output).take(size);
        let result = reader(&mut content);
        let left = content.limit();
        let skipped = std::io::copy(&mut (&mut self.output).take(left + 1), &mut std::io::sink())?;
        if skipped == left + 1 { Ok(result) } else { Err(broken()) }
    }
}

fn broken() -> CodeError {
    CodeError::Io(std::io::Error::new(ErrorKind::InvalidData, "git gave out no proper objects"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_whatever_the_names() {
        let (entry, size) = parse(b"100644 blob abcd     12\ta b\tc\0").unwrap();
        assert_eq!(
            (entry.mode, entry.id.as_str(), entry.path.as_str(), size),
            (0o100_644, "abcd", "a b\tc", 12)
        );
        let (entry, size) = parse(b"160000 commit abcd       -\tsub\0").unwrap();
        assert_eq!((entry.mode, size), (0o160_000, 0));
        assert!(parse(b"100644 blob abcd 1\t\xff\0").unwrap_err().to_string().contains("not UTF-8"));
        assert!(parse(b"nonsense\0").is_err());
    }
}
