use std::collections::{HashMap, VecDeque};

/// What can go wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// AWS is asked too often; nothing is done.
    Throttle,
    /// A 500; nothing is done.
    Unavailable,
    /// This code; nothing is done.
    Refuse(&'static str),
    /// It is done, and the answer never comes.
    Lose,
    /// It is done, and the connection stays open for ever.
    Hang,
    /// A listing that has something ends early, and does not say so.
    Truncate,
    /// It is done, and the answer breaks off.
    Cut,
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: HashMap<String, VecDeque<Fault>>,
    met: HashMap<String, u64>,
    refused: HashMap<String, &'static str>,
    one_in: u32,
    random: u64,
}

impl Faults {
    pub(super) fn push(&mut self, call: &str, fault: Fault) {
        self.planned.entry(call.to_owned()).or_default().push_back(fault);
    }

    pub(super) fn refuse(&mut self, call: &str, code: &'static str) {
        self.refused.insert(call.to_owned(), code);
    }

    pub(super) fn permit(&mut self, call: &str) {
        self.refused.remove(call);
    }

    pub(super) const fn storm(&mut self, one_in: u32, seed: u64) {
        (self.one_in, self.random) = (one_in, seed);
    }

    pub(super) fn next(&mut self, call: &str) -> Option<Fault> {
        if let Some(fault) = self.planned.get_mut(call).and_then(VecDeque::pop_front) {
            *self.met.entry(call.to_owned()).or_default() += 1;
            return Some(fault);
        }
        if let Some(code) = self.refused.get(call) {
            return Some(Fault::Refuse(code));
        }
        if self.one_in == 0 || !self.roll().is_multiple_of(u64::from(self.one_in)) {
            return None;
        }
        let listing = call.starts_with("Describe") || call.starts_with("List");
        Some(match self.roll() % 4 {
            0 => Fault::Throttle,
            1 => Fault::Unavailable,
            2 => Fault::Lose,
            _ if listing => Fault::Truncate,
            _ => Fault::Hang,
        })
    }

    /// A planned fault that had no effect waits for the next call; one of a storm has passed.
    pub(super) fn put_back(&mut self, call: &str, fault: Fault) {
        if self.one_in == 0 {
            self.planned.entry(call.to_owned()).or_default().push_front(fault);
            self.met.entry(call.to_owned()).and_modify(|met| *met -= 1);
        }
    }

    /// How many planned faults have met this call.
    pub(super) fn met(&self, call: &str) -> u64 {
        self.met.get(call).copied().unwrap_or_default()
    }

    pub(super) fn forget(&mut self) {
        self.planned.clear();
    }

    /// `SplitMix64`.
    const fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 8
    }
}
