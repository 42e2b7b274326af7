use super::CodeProblem;

/// What every field must be: not empty, not too long, without control characters, not like an option.
pub(super) fn check(text: &str, longest: usize) -> Result<(), CodeProblem> {
    if text.is_empty() {
        return Err(CodeProblem::Empty);
    }
    if text.len() > longest {
        return Err(CodeProblem::TooLong(longest));
    }
    if text.chars().any(char::is_control) {
        return Err(CodeProblem::ControlCharacter);
    }
    if text.starts_with('-') { Err(CodeProblem::LeadingHyphen) } else { Ok(()) }
}

/// Whether a name between slashes stands for another place than itself.
pub(super) fn is_dots(name: &str) -> bool {
    matches!(name, "." | "..")
}

/// A folder below the repository's root, without the slash at its end.
pub(super) fn relative_path(path: &str) -> Result<String, CodeProblem> {
    check(path, 1024)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let plain = |name: &str| !name.is_empty() && !is_dots(name) && !name.eq_ignore_ascii_case(".git");
    if path.contains('\\') || !path.split('/').all(plain) {
        return Err(CodeProblem::RelativePath);
    }
    Ok(path.to_owned())
}
