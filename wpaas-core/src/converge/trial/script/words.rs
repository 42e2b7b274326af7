//! The words of a command.

use std::str::FromStr;

use super::{Change, Fate, Part, Wrong, size};

/// What of a command is not understood yet.
pub(super) struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn new(command: &'a str) -> Self {
        Self(command.split_whitespace().collect())
    }

    pub(super) fn next(&mut self) -> Result<&'a str, Wrong> {
        if self.0.is_empty() {
            return Err(Wrong::Command("a word is missing".into()));
        }
        Ok(self.0.remove(0))
    }

    /// Whether this is the next word; it is taken then.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let is = self.0.first() == Some(&word);
        if is {
            self.0.remove(0);
        }
        is
    }

    /// The value of `key=value`, wherever it is.
    pub(super) fn value<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, Wrong> {
        let value = |word: &str| word.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        let Some(at) = self.0.iter().position(|word| value(word).is_some()) else { return Ok(None) };
        let word = self.0.remove(at);
        let parsed = value(word).and_then(|value| value.parse().ok());
        parsed.map(Some).ok_or_else(|| Wrong::Command(format!("{word} can't be read")))
    }

    pub(super) fn number(&mut self) -> Result<Option<usize>, Wrong> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let word = self.next()?;
        word.parse().map(Some).map_err(|_| Wrong::Command(format!("{word} is no number")))
    }

    pub(super) fn part(&mut self) -> Result<Part, Wrong> {
        let word = self.next()?;
        word.parse().map_err(|_| Wrong::Command(format!("{word} is no part of a site")))
    }

    pub(super) fn fate(&mut self) -> Result<Fate, Wrong> {
        let word = self.next()?;
        match word {
            "lost" => Ok(Fate::Lost),
            "unanswered" => Ok(Fate::Unanswered),
            "delayed" => Ok(Fate::Delayed),
            "doubled" => Ok(Fate::Doubled),
            "half-made" => Ok(Fate::HalfMade),
            "throttled" => Ok(Fate::Throttled),
            _ => Err(Wrong::Command(format!("no step is {word}"))),
        }
    }

    pub(super) fn change(&mut self) -> Result<Change, Wrong> {
        if let Some(n) = self.value("wordpress")? {
            return Ok(Change::Wordpress(n));
        }
        if let Some(n) = self.value("database")? {
            return Ok(Change::Database(size(n)?));
        }
        if let Some(n) = self.value("domain")? {
            return Ok(Change::Domain(n));
        }
        if self.take("release=bad") {
            return Ok(Change::BadRelease);
        }
        if self.take("release=stock") {
            return Ok(Change::Release(None));
        }
        if let Some(n) = self.value("release")? {
            return Ok(Change::Release(Some(n)));
        }
        if self.take("password") {
            return Ok(Change::Admin);
        }
        Err(Wrong::Command("nobody can want that".into()))
    }

    /// Nothing is left.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(Wrong::Command(format!("{word} is not understood"))),
        }
    }
}
