//! What a node is made of, in borrowed pieces: as a rule only its fingerprint is asked for, and that allocates nothing.

use std::fmt;

use crate::converge::{FileContent, Fingerprint, Fingerprinting, Mount, NodeFile, NodeRole, NodeSpec, Part};
use crate::secret::SecretRef;

/// A node as it is to be.
pub(super) struct Outline<'a> {
    pub(super) role: NodeRole,
    /// Put there before the start, and part of what it is.
    pub(super) files: &'a [FileOf<'a>],
    /// Put there before the start; they can change while it runs.
    pub(super) live: &'a [FileOf<'a>],
    pub(super) mounts: &'a [MountOf],
    /// What it is besides.
    pub(super) also: &'a [&'a dyn fmt::Display],
    pub(super) memory_mib: u32,
    pub(super) restart: bool,
}

#[derive(Clone, Copy)]
pub(super) struct FileOf<'a> {
    path: &'static str,
    mode: u32,
    group: &'static str,
    content: ContentOf<'a>,
}

#[derive(Clone, Copy)]
enum ContentOf<'a> {
    Text(&'a dyn fmt::Display),
    Secret(SecretRef),
}

#[derive(Clone, Copy)]
pub(super) struct MountOf {
    pub(super) part: Part,
    pub(super) path: &'static str,
    pub(super) read_only: bool,
}

/// Of everything in here that only a new node can change.
pub(super) fn fingerprint(outline: &Outline<'_>) -> Fingerprint {
    let Outline { role, files, live: _, mounts, also, memory_mib, restart } = *outline;
    let mut of = Fingerprinting::default();
    of.text(role).text(super::role_digest(role)).text(memory_mib).text(restart);
    of.text(files.len());
    for FileOf { path, mode, group, content } in files {
        of.text(path).text(format_args!("{mode:o} {group}"));
        match content {
            ContentOf::Text(text) => of.text(text),
            ContentOf::Secret(secret) => of.text(secret),
        };
    }
    of.text(mounts.len());
    for MountOf { part, path, read_only } in mounts {
        match part {
            // Which volume a database node has follows from its number.
            Part::DatabaseVolume(_) => of.text(""),
            part => of.text(part),
        };
        of.text(path).text(read_only);
    }
    for text in also {
        of.text(text);
    }
    of.done()
}

/// The node to make.
pub(super) fn spec(outline: &Outline<'_>) -> NodeSpec {
    let Outline { role, files, live, mounts, also: _, memory_mib, restart } = *outline;
    NodeSpec {
        role,
        fingerprint: fingerprint(outline),
        files: files.iter().chain(live).map(FileOf::file).collect(),
        mounts: mounts.iter().map(MountOf::mount).collect(),
        memory_mib,
        restart,
        founds: None,
    }
}

impl<'a> FileOf<'a> {
    pub(super) fn text(path: &'static str, text: &'a dyn fmt::Display) -> Self {
        Self { path, mode: 0o444, group: "root", content: ContentOf::Text(text) }
    }

    /// For a group that is not root's, its members can read it.
    pub(super) fn secret(path: &'static str, group: &'static str, secret: SecretRef) -> Self {
        let mode = if group == "root" { 0o400 } else { 0o440 };
        Self { path, mode, group, content: ContentOf::Secret(secret) }
    }

    pub(super) fn file(&self) -> NodeFile {
        let Self { path, mode, group, content } = *self;
        let content = match content {
            ContentOf::Text(text) => FileContent::Text(text.to_string()),
            ContentOf::Secret(secret) => FileContent::Secret(secret),
        };
        NodeFile { path: path.into(), mode, group, content }
    }
}

impl MountOf {
    fn mount(&self) -> Mount {
        let Self { part, path, read_only } = *self;
        Mount { part, path: path.into(), read_only }
    }
}

/// A text file of this content.
pub(super) fn written(path: &'static str, text: String) -> NodeFile {
    NodeFile { path: path.into(), mode: 0o444, group: "root", content: FileContent::Text(text) }
}
