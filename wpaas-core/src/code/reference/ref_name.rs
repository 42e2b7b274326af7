use super::{CodeProblem, text};

/// The rules of `git check-ref-format --allow-onelevel`, and no hyphen first.
pub(super) fn check(name: &str) -> Result<(), CodeProblem> {
    text::check(name, 255)?;
    let forbidden = |c: char| " ~^:?*[\\".contains(c);
    let bad_whole = name == "@" || name.ends_with('.') || name.contains("..") || name.contains("@{");
    let bad_part = |part: &str| {
        let lock = part.as_bytes().ends_with(b".lock");
        part.is_empty() || part.starts_with('.') || lock
    };
    if bad_whole || name.contains(forbidden) || name.split('/').any(bad_part) {
        return Err(CodeProblem::RefName);
    }
    Ok(())
}
