use std::collections::BTreeSet;

use crate::code::CodeError;
use crate::code::text::printable;

/// What a remote repository offers.
#[derive(Debug, Default)]
pub(super) struct Refs {
    names: BTreeSet<String>,
}

/// What is to be fetched of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// A ref by its full name, or `HEAD`.
    Ref(String),
    /// A commit by its id.
    Commit(String),
}

impl Refs {
    /// Of what `git ls-remote --symref` prints.
    pub(super) fn parse(list: &str) -> Self {
        let listed = list.lines().filter(|line| !line.starts_with("ref: "));
        let names = listed.filter_map(|line| line.split_once('\t')).map(|(_, name)| name);
        Self { names: names.filter(|name| !name.ends_with("^{}")).map(str::to_owned).collect() }
    }

    /// A commit's id, a branch, a tag, a full name; `HEAD` without.
    pub(super) fn choose(&self, reference: Option<&str>) -> Result<Want, CodeError> {
        if self.names.is_empty() {
            return Err(CodeError::Refused("the repository is empty".into()));
        }
        let Some(reference) = reference.filter(|reference| *reference != "HEAD") else {
            let head = self.names.get("HEAD").cloned().map(Want::Ref);
            return head.ok_or_else(|| self.headless());
        };
        if matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Want::Commit(reference.to_ascii_lowercase()));
        }
        let candidates = [format!("refs/heads/{reference}"), format!("refs/tags/{reference}")];
        let found = candidates.into_iter().find(|name| self.names.contains(name));
        let full = || reference.starts_with("refs/").then(|| reference.to_owned());
        found.or_else(full).map(Want::Ref).ok_or_else(|| self.not_found(reference))
    }

    /// The answer to a reference that is none of them.
    pub(super) fn not_found(&self, reference: &str) -> CodeError {
        let what = printable(reference, 80);
        let short = (4..40).contains(&reference.len()) && reference.bytes().all(|b| b.is_ascii_hexdigit());
        let hint = if short { "; a commit must be given by its full id" } else { "" };
        let listed = self.listed();
        CodeError::Refused(format!("code.ref: there is no branch, tag or commit {what:?}{hint}; {listed}"))
    }

    fn headless(&self) -> CodeError {
        let listed = self.listed();
        CodeError::Refused(format!(
            "code.ref: the repository has no default branch, so a ref must be given; {listed}"
        ))
    }

    fn listed(&self) -> String {
        let of = |prefix: &str| {
            let mut names: Vec<String> = self
                .names
                .iter()
                .filter_map(|name| name.strip_prefix(prefix))
                .map(|n| printable(n, 80))
                .collect();
            let more = names.len().saturating_sub(10);
            names.truncate(10);
            match (names.is_empty(), more) {
                (true, _) => "none".to_owned(),
                (false, 0) => names.join(", "),
                (false, more) => format!("{} and {more} more", names.join(", ")),
            }
        };
        format!("branches: {}; tags: {}", of("refs/heads/"), of("refs/tags/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "ref: refs/heads/main\tHEAD\n1111\tHEAD\n1111\trefs/heads/main\n2222\trefs/heads/v1\n\
                        3333\trefs/tags/v1\n3333\trefs/tags/v2\n4444\trefs/tags/v2^{}\n";

    #[test]
    fn a_reference_is_a_commit_a_branch_or_a_tag_in_this_order() {
        let refs = Refs::parse(LIST);
        let want = |reference| refs.choose(reference).map_err(|error| error.to_string());
        let named = |name: &str| Ok(Want::Ref(name.to_owned()));
        assert_eq!(want(None), named("HEAD"));
        assert_eq!(want(Some("v1")), named("refs/heads/v1"));
        assert_eq!(want(Some("v2")), named("refs/tags/v2"));
        assert_eq!(want(Some("refs/tags/v1")), named("refs/tags/v1"));
        let id = "ABCDEF0123".repeat(4);
        assert_eq!(want(Some(&id)), Ok(Want::Commit(id.to_lowercase())));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let refs = Refs::parse(LIST);
        let error = |refs: &Refs, reference| refs.choose(reference).unwrap_err().to_string();
        assert_eq!(
            error(&refs, Some("nope")),
            "code.ref: there is no branch, tag or commit \"nope\"; branches: main, v1; tags: v1, v2"
        );
        assert!(error(&refs, Some("abc123")).contains("by its full id"));
        assert_eq!(error(&Refs::default(), None), "the repository is empty");
        let headless = Refs::parse("1\trefs/heads/a\n");
        assert!(error(&headless, None).ends_with("branches: a; tags: none"));
    }
}
