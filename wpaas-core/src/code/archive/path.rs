use std::fmt;

use crate::code::CodeError;
use crate::code::text::printable;

/// The longest path, and the longest name in it, in bytes.
const LONGEST: (usize, usize) = (1024, 255);

/// Where an entry belongs: relative, of plain names, with `/` between them. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

/// A path that no release may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry {path:?} is refused: {problem}")]
pub struct InvalidPath {
    path: String,
    problem: &'static str,
}

impl EntryPath {
    /// Reads the name of an entry; a `/` at the end and `.` between slashes mean nothing.
    ///
    /// # Errors
    ///
    /// For whatever could lead out of the folder it is unpacked into, and for what no file can be named.
    /// `Ok(None)` is the folder itself.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidPath> {
        let refuse = |problem| Err(InvalidPath { path: printable(text, 120), problem });
        if text.chars().any(char::is_control) {
            return refuse("its name has control characters");
        }
        if text.starts_with('/') {
            return refuse("its path is absolute");
        }
        if text.contains('\\') {
            return refuse("its name has a backslash; folders are separated by /");
        }
        if text.as_bytes().get(1) == Some(&b':') {
            return refuse("its path begins with a drive");
        }
        let names: Vec<&str> = text.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
        if names.contains(&"..") {
            return refuse("its path leads out of the archive");
        }
        if text.len() > LONGEST.0 || names.iter().any(|name| name.len() > LONGEST.1) {
            return refuse("its name is too long");
        }
        Ok((!names.is_empty()).then(|| Self(names.join("/"))))
    }

    /// Where a link at this place with this target leads, when that is inside.
    #[must_use]
    pub fn target(&self, link: &str) -> Option<Self> {
        if link.starts_with('/') {
            return None;
        }
        let mut names: Vec<&str> = self.0.split('/').collect();
        names.pop();
        for name in link.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()?),
                name => names.push(name),
            }
        }
        Self::parse(&names.join("/")).ok().flatten()
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders above, from the outermost in.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<InvalidPath> for CodeError {
    fn from(invalid: InvalidPath) -> Self {
        Self::Refused(invalid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        for (path, why) in [
            ("../x", "leads out"),
            ("a/../../x", "leads out"),
            ("a/../b", "leads out"),
            ("/etc/passwd", "absolute"),
            ("//x", "absolute"),
            ("..\\x", "backslash"),
            ("C:/x", "drive"),
            ("a\0b", "control characters"),
            ("a\nb", "control characters"),
            (&"x".repeat(256), "too long"),
            (&"x/".repeat(600), "too long"),
        ] {
            let error = EntryPath::parse(path).unwrap_err().to_string();
            assert!(error.contains(why), "{path:?}: {error}");
        }
        assert_eq!(EntryPath::parse("./"), Ok(None));
        assert_eq!(EntryPath::parse("./a//b/").unwrap().unwrap().as_str(), "a/b");
    }

    #[test]
    fn links_lead_inside_or_nowhere() {
        let at = |path: &str| EntryPath::parse(path).unwrap().unwrap();
        let target = |path: &str, link: &str| at(path).target(link).map(|path| path.to_string());
        assert_eq!(target("a/b", "c"), Some("a/c".into()));
        assert_eq!(target("a/b", "../c/./d"), Some("c/d".into()));
        for link in ["../../c", "/etc/passwd", "..", ".", "", "../.."] {
            let inside = target("a/b", link);
            assert!(inside.is_none() || inside.as_deref() == Some("a"), "{link:?}: {inside:?}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_stays_below_the_folder(text in "[a-z./\\\\:\\x00-\\x20]{0,20}") {
            if let Ok(Some(path)) = EntryPath::parse(&text) {
                let plain = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(std::path::Path::new(path.as_str()).components().all(plain));
            }
        }
    }
}
