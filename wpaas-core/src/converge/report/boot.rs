use std::fmt;
use std::num::NonZeroU64;

/// Names one start of a node. Equal for equal texts; what our nodes write (16 digits) takes no memory of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BootId(Text);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// What is written as 16 lower-case hexadecimal digits, not all of them 0, and as nothing else.
    Digits(NonZeroU64),
    Other(Box<str>),
}

impl BootId {
    /// Takes the node's text over; `None` unless 1 to 64 letters and digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_written = text.len() == 16 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let digits = u64::from_str_radix(text, 16).ok().and_then(NonZeroU64::new).filter(|_| is_written);
        fits.then(|| Self(digits.map_or_else(|| Text::Other(text.into()), Text::Digits)))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Text::Digits(digits) => write!(f, "{digits:016x}"),
            Text::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_nodes_text_whatever_it_is_kept_as() {
        let most = "z".repeat(64);
        for text in
            ["0123456789abcdef", "0123456789ABCDEF", "0000000000000000", "9f", "0123456789abcdeg", &most]
        {
            assert_eq!(BootId::new(text).unwrap().to_string(), text);
            assert_eq!(BootId::new(text), BootId::new(text));
        }
        assert_ne!(BootId::new("0123456789abcdef"), BootId::new("0123456789ABCDEF"));
        for text in ["", "+123456789abcdef", "a b", "ä", &"z".repeat(65)] {
            assert_eq!(BootId::new(text), None, "{text}");
        }
        assert_eq!(size_of::<BootId>(), 16);
    }
}
