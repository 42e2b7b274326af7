use std::fmt::{self, Write as _};
use std::num::NonZeroU64;

use sha2::{Digest as _, Sha256};

/// Names a spec: equal specs have equal fingerprints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(NonZeroU64);

impl Fingerprint {
    /// Of these texts, in this order; their borders count.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fingerprint = Fingerprinting::default();
        for text in texts {
            fingerprint.text(text);
        }
        fingerprint.done()
    }

    /// As it was written; `None` unless 16 lower-case hex digits, not all of them 0.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_written = text.len() == 16 && text.bytes().all(is_digit);
        is_written.then(|| u64::from_str_radix(text, 16).ok().and_then(NonZeroU64::new).map(Self))?
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A fingerprint in the making. No text is put together in memory for it, so that planning allocates nothing.
#[derive(Default)]
pub(crate) struct Fingerprinting(Sha256);

impl Fingerprinting {
    /// Adds a text, and where it ends.
    pub(crate) fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        let mut writer = Writer { hash: &mut self.0, written: 0 };
        let _infallible = write!(writer, "{text}");
        let length = writer.written;
        self.0.update(length.to_be_bytes());
        self
    }

    pub(crate) fn done(self) -> Fingerprint {
        let digest = self.0.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        // No spec is without one, so that a part without any takes no more room than one with.
        Fingerprint(NonZeroU64::new(u64::from_be_bytes(first)).unwrap_or(NonZeroU64::MIN))
    }
}

struct Writer<'a> {
    hash: &'a mut Sha256,
    written: u64,
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hash.update(text);
        self.written += text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_texts_count() {
        let ways: [&[&str]; 5] = [&["ab", "c"], &["a", "bc"], &["abc"], &["abc", ""], &["", "abc"]];
        for (n, one) in ways.iter().enumerate() {
            for other in &ways[n + 1..] {
                let fingerprint = |texts: &[&str]| Fingerprint::of(texts.iter().copied());
                assert_ne!(fingerprint(one), fingerprint(other), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_written_in_pieces_is_as_what_is_written_at_once() {
        let mut pieces = Fingerprinting::default();
        pieces.text(format_args!("{}-{}", "database", 0));
        assert_eq!(pieces.done(), Fingerprint::of(["database-0"]));
    }

    /// Another value would replace every node that runs.
    #[test]
    fn its_value_stays() {
        assert_eq!(Fingerprint::of(["a", "bc"]).to_string(), "7bbbc83d77b2835f");
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        let fingerprint = Fingerprint::of(["a"]);
        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
        for bad in
            ["", "0", "+123456789abcdef", "0123456789ABCDEF", "0123456789abcdef0", "0123456789abcde\u{e9}"]
        {
            assert_eq!(Fingerprint::parse(bad), None, "{bad:?}");
        }
    }
}
