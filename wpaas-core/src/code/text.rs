/// What a stranger wrote, fit to be shown: no control characters, and not more than `longest` letters.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    let mut shown: String =
        text.chars().take(longest).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}
