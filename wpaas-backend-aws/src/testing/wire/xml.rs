//! As much of XML as the services speak.

use std::fmt::Display;

/// An element of text.
pub(super) fn text(name: &str, value: impl Display) -> String {
    format!("<{name}>{}</{name}>", escaped(&value.to_string()))
}

/// An element of text, if there is any.
pub(super) fn some(name: &str, value: Option<impl Display>) -> String {
    value.map(|value| text(name, value)).unwrap_or_default()
}

/// An element of these.
pub(super) fn all(name: &str, children: &[String]) -> String {
    format!("<{name}>{}</{name}>", children.concat())
}

/// An element with one of the inner name for each.
pub(super) fn list<T>(name: &str, inner: &str, of: &[T], show: impl Fn(&T) -> String) -> String {
    let each = of.iter().map(|it| format!("<{inner}>{}</{inner}>", show(it)));
    format!("<{name}>{}</{name}>", each.collect::<String>())
}

/// What is in all elements of this name, which have no attributes, do not contain each other, and are of text where
/// they are read further.
pub(super) fn within<'x>(document: &'x str, name: &str) -> Vec<&'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    document.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).collect()
}

/// The text of the first element of this name.
pub(super) fn value(document: &str, name: &str) -> Option<String> {
    within(document, name).first().map(|text| unescaped(text))
}

const ENTITIES: [(char, &str); 5] =
    [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&apos;")];

fn escaped(text: &str) -> String {
    ENTITIES.iter().fold(text.to_owned(), |text, (plain, entity)| text.replace(*plain, entity))
}

fn unescaped(text: &str) -> String {
    ENTITIES
        .iter()
        .rev()
        .fold(text.to_owned(), |text, (plain, entity)| text.replace(entity, plain.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let odd = "a<b>&amp;\"'";
        let document = all("Delete", &[text("Key", odd), text("Key", 2)]);
        assert_eq!(value(&document, "Key").as_deref(), Some(odd));
        assert_eq!(within(&document, "Key").len(), 2);
        assert_eq!(within(&document, "Ke"), Vec::<&str>::new());
    }
}
