/// A piece of a list: what comes after a key, at most so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<K> {
    /// The last key of the piece before; `None` begins.
    pub after: Option<K>,
    /// How many at most; 0 is taken as 1.
    pub limit: usize,
}

impl<K> Page<K> {
    /// The first piece.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The piece after this key.
    #[must_use]
    pub const fn after(key: K, limit: usize) -> Self {
        Self { after: Some(key), limit }
    }

    /// The same with one more, which tells whether there is more, and how many were asked for.
    pub(crate) fn and_one(self) -> (Self, usize) {
        let limit = self.limit.clamp(1, MOST);
        (Self { after: self.after, limit: limit + 1 }, limit)
    }
}

/// In one piece.
const MOST: usize = 1000;

/// A piece of a list, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, K> {
    /// What is in it.
    pub items: Vec<T>,
    /// What to ask for the next piece after; `None` at the end.
    pub next: Option<K>,
}

impl<T, K> Listed<T, K> {
    /// From what a store gave for `limit + 1`: one more than fits tells that there is more.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}
