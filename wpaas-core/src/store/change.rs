use jiff::Timestamp;

use super::NewEvent;

mod expect;
mod write;

pub use expect::{Expect, Record};
pub use write::Write;

/// Something to write, as a value: what must be true, what to write, what to tell. All or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it is done, as the events tell.
    pub at: Timestamp,
    /// Whether it stays.
    pub mode: Mode,
    /// Whether nobody waits for it: where many changes wait, those that somebody waits for go first.
    pub aside: bool,
    /// Checked first, in this order, in the transaction.
    pub expect: Vec<Expect>,
    /// Done in this order.
    pub writes: Vec<Write>,
    /// Told of it, in this order.
    pub events: Vec<NewEvent>,
}

impl Change {
    /// Nothing yet, at this time.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        let mode = Mode::Commit;
        Self { at, mode, aside: false, expect: Vec::new(), writes: Vec::new(), events: Vec::new() }
    }

    /// Though nobody waits for it.
    #[must_use]
    pub const fn aside(mut self) -> Self {
        self.aside = true;
        self
    }

    /// Only if this is true.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    /// And this.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// And this is told.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Whether it would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.events.is_empty()
    }
}

/// Whether a change stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Commit,
    /// Everything is checked as if, and nothing stays.
    DryRun,
}
