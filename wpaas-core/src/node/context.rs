use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use crate::converge::NodeRole;

/// A file of the node set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextFile {
    /// Relative to the folder `node`, with `/` between its parts.
    pub path: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

static FILES: &[ContextFile] = include!(concat!(env!("OUT_DIR"), "/node_files.rs"));

/// Every file that nodes are made of, sorted by path: all of the folder `node` but its `README.md`.
#[must_use]
pub fn context() -> &'static [ContextFile] {
    FILES
}

/// One file of it by its path.
#[must_use]
pub fn context_file(path: &str) -> Option<&'static ContextFile> {
    FILES.iter().find(|file| file.path == path)
}

/// Names the node set-up: 12 hex digits that differ when any of its files does.
#[must_use]
pub fn context_digest() -> String {
    digest(FILES.iter())
}

/// Names what a node of this role is made of: its own folder and what all roles share.
#[must_use]
pub fn role_digest(role: NodeRole) -> &'static str {
    static DIGESTS: OnceLock<[String; 3]> = OnceLock::new();
    let digests = DIGESTS.get_or_init(|| {
        [NodeRole::Database, NodeRole::Wordpress, NodeRole::Gateway].map(|role| {
            let own = format!("{role}/");
            digest(FILES.iter().filter(|file| !file.path.contains('/') || file.path.starts_with(&own)))
        })
    });
    &digests[match role {
        NodeRole::Database => 0,
        NodeRole::Wordpress => 1,
        NodeRole::Gateway => 2,
    }]
}

/// Names what the edge is made of, beside the image of a gateway.
#[must_use]
pub fn edge_digest() -> String {
    digest(FILES.iter().filter(|file| file.path.starts_with("edge/")))
}

fn digest<'a>(files: impl Iterator<Item = &'a ContextFile>) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update((file.path.len() as u64).to_be_bytes());
        hash.update(file.path);
        hash.update((file.bytes.len() as u64).to_be_bytes());
        hash.update(file.bytes);
    }
    hex::encode(&hash.finalize()[..6])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn on_disk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                on_disk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
        let mut wanted = BTreeMap::new();
        on_disk(&root, &root, &mut wanted);
        assert!(wanted.remove("README.md").is_some());
        let embedded: Vec<_> = context().iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(embedded, wanted.keys().cloned().collect::<Vec<_>>());
        let stale: Vec<_> = context().iter().filter(|file| wanted[file.path] != file.bytes).collect();
        assert!(
            stale.is_empty(),
            "embedded as they were: {:?}",
            stale.iter().map(|file| file.path).collect::<Vec<_>>()
        );
        assert!(context().is_sorted_by_key(|file| file.path));
    }

    #[test]
    fn the_digest_is_a_short_name() {
        let digest = context_digest();
        assert_eq!(digest.len(), 12);
        assert!(digest.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(context_file("no such file"), None);
    }
}
