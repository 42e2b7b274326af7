//! What code is, by the names of its files: a whole WordPress, or the content of a `wp-content`.

use std::collections::BTreeSet;

use crate::code::text::printable;
use crate::code::{CodeError, Layout};

/// What every whole WordPress has.
const WORDPRESS: [&str; 5] =
    ["index.php", "wp-load.php", "wp-settings.php", "wp-admin/index.php", "wp-includes/version.php"];

/// What tells a `wp-content` from any other folder.
const CONTENT: [&str; 3] = ["themes/", "plugins/", "mu-plugins/"];

/// Where in the code the part to serve begins, and how it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Empty, or a folder with its `/`.
    pub root: String,
    /// How it is served.
    pub layout: Layout,
}

/// Tells what these files (relative paths with `/`) are. Looked for at the top, then in the one folder there.
///
/// # Errors
///
/// `Refused`, saying what was found and what is expected.
pub fn detect(files: &BTreeSet<String>) -> Result<Found, CodeError> {
    let files = Files(files);
    for root in std::iter::once(String::new()).chain(files.only_folder()) {
        if files.missing(&root, &WORDPRESS).is_empty() {
            return files.whole(root);
        }
        if let Some(found) = files.content(&root) {
            return Ok(found);
        }
        files.refuse_near_miss(&root)?;
    }
    Err(files.unknown())
}

/// Whether a release holds the file, by its path below the root that was found. What a site's visitors
/// uploaded and what the node brings itself are no code.
#[must_use]
pub fn keeps(layout: Layout, path: &str) -> bool {
    match layout {
        Layout::Tree => path != "wp-config.php" && !path.starts_with("wp-content/uploads/"),
        Layout::Content | Layout::ContentWithoutTheme => !path.starts_with("uploads/"),
    }
}

/// The folder that every release has, even empty: uploads are mounted there.
#[must_use]
pub const fn uploads(layout: Layout) -> &'static str {
    match layout {
        Layout::Tree => "wp-content/uploads",
        Layout::Content | Layout::ContentWithoutTheme => "uploads",
    }
}

/// Whether a name is left out wherever it is: of version control, or litter of a desktop.
#[must_use]
pub fn is_litter(name: &str) -> bool {
    matches!(name, ".git" | "__MACOSX" | ".DS_Store")
}

#[derive(Clone, Copy)]
struct Files<'a>(&'a BTreeSet<String>);

impl<'a> Files<'a> {
    fn below(self, folder: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let folder = folder.to_owned();
        let from = self.0.range(folder.clone()..);
        from.map_while(move |path| path.strip_prefix(folder.as_str()))
    }

    fn has(self, root: &str, path: &str) -> bool {
        self.0.contains(&format!("{root}{path}"))
    }

    fn missing(self, root: &str, paths: &[&'static str]) -> Vec<&'static str> {
        paths.iter().copied().filter(|path| !self.has(root, path)).collect()
    }

    /// The names at the top, folders with their `/`.
    fn top(self) -> BTreeSet<&'a str> {
        self.0.iter().map(|path| path.find('/').map_or(path.as_str(), |slash| &path[..=slash])).collect()
    }

    fn only_folder(self) -> Option<String> {
        let top = self.top();
        let only = top.first().filter(|name| top.len() == 1 && name.ends_with('/'))?;
        Some((*only).to_owned())
    }

    fn has_theme(self, content: &str) -> bool {
        let is_theme = |path: &str| {
            let mut names = path.split('/');
            (names.next(), names.next(), names.next()).1 == Some("style.css")
                && path.matches('/').count() == 1
        };
        self.below(&format!("{content}themes/")).any(is_theme)
    }

    fn whole(self, root: String) -> Result<Found, CodeError> {
        if self.has_theme(&format!("{root}wp-content/")) {
            return Ok(Found { root, layout: Layout::Tree });
        }
        let why = "the code is a whole WordPress without a theme, which would serve empty pages: put one into \
                   wp-content/themes/NAME, with its style.css";
        Err(CodeError::Refused(why.into()))
    }

    fn content(self, root: &str) -> Option<Found> {
        let is_wordpress = self.below(&format!("{root}wp-includes/")).next().is_some();
        let candidates = [root.to_owned(), format!("{root}wp-content/")];
        let root = candidates.into_iter().find(|root| self.is_content(root)).filter(|_| !is_wordpress)?;
        let layout = if self.has_theme(&root) { Layout::Content } else { Layout::ContentWithoutTheme };
        Some(Found { root, layout })
    }

    fn is_content(self, root: &str) -> bool {
        let lone_theme = self.has(root, "style.css");
        let any = CONTENT.iter().any(|folder| self.below(&format!("{root}{folder}")).next().is_some());
        any && !lone_theme
    }

    /// Something recognisable that does not do as it is deserves its own word.
    fn refuse_near_miss(self, root: &str) -> Result<(), CodeError> {
        let missing = self.missing(root, &WORDPRESS);
        if !missing.contains(&"wp-includes/version.php") || !missing.contains(&"wp-load.php") {
            let missing = missing.join(", ");
            return Err(CodeError::Refused(format!(
                "the code is an incomplete WordPress: it has no {missing}"
            )));
        }
        if self.has(root, "style.css") {
            let why = "the code looks like a theme alone: put it into themes/NAME";
            return Err(CodeError::Refused(why.into()));
        }
        Ok(())
    }

    fn unknown(self) -> CodeError {
        let top = self.top();
        let mut found: Vec<String> = top.iter().take(10).map(|name| printable(name, 60)).collect();
        if top.len() > found.len() {
            found.push(format!("and {} more", top.len() - found.len()));
        }
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        CodeError::Refused(format!(
            "the code is no WordPress: expected is either a whole one (wp-load.php, wp-includes/ and the rest) \
             or what belongs into wp-content (themes/, plugins/ or mu-plugins/), at the top or in a single \
             folder there; found: {found}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(files: &[&str]) -> Result<(String, Layout), String> {
        let files = files.iter().map(|&path| path.to_owned()).collect();
        detect(&files).map(|found| (found.root, found.layout)).map_err(|error| error.to_string())
    }

    const THEME: &str = "wp-content/themes/a/style.css";

    #[test]
    fn a_whole_wordpress_at_the_top_or_in_a_folder() {
        let whole = [&WORDPRESS[..], &[THEME]].concat();
        assert_eq!(detected(&whole), Ok((String::new(), Layout::Tree)));
        let deep: Vec<String> = whole.iter().map(|path| format!("wordpress/{path}")).collect();
        let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
        assert_eq!(detected(&deep), Ok(("wordpress/".into(), Layout::Tree)));
        let error = detected(&WORDPRESS).unwrap_err();
        assert!(error.contains("without a theme"), "{error}");
        let error = detected(&["wp-includes/version.php", "index.php", THEME]).unwrap_err();
        assert_eq!(
            error,
            "the code is an incomplete WordPress: it has no wp-load.php, wp-settings.php, wp-admin/index.php"
        );
    }

    #[test]
    fn the_content_at_the_top_in_wp_content_or_in_a_folder() {
        for (files, root, layout) in [
            (vec!["themes/a/style.css"], "", Layout::Content),
            (vec!["plugins/a/a.php"], "", Layout::ContentWithoutTheme),
            (vec!["mu-plugins/a.php", "README.md"], "", Layout::ContentWithoutTheme),
            (vec!["themes/index.php", "themes/a/css/style.css"], "", Layout::ContentWithoutTheme),
            (vec!["README.md", THEME], "wp-content/", Layout::Content),
            (vec!["site-main/README.md", "site-main/themes/a/style.css"], "site-main/", Layout::Content),
            (vec!["x/wp-content/plugins/a.php"], "x/wp-content/", Layout::ContentWithoutTheme),
        ] {
            assert_eq!(detected(&files), Ok((root.to_owned(), layout)), "{files:?}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_what_was_found() {
        let error = detected(&["a/b.txt", "package.json"]).unwrap_err();
        assert!(error.starts_with("the code is no WordPress: expected is either a whole one"), "{error}");
        assert!(error.ends_with("found: a/, package.json"), "{error}");
        assert!(detected(&[]).unwrap_err().ends_with("found: nothing"));
        assert!(detected(&["a/b/themes/x/style.css", "c"]).is_err());
        let error = detected(&["style.css", "functions.php", "plugins/x.php"]).unwrap_err();
        assert!(error.contains("a theme alone"), "{error}");
    }
}
