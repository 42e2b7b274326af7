//! Whose step is taken next. Pure.

use std::collections::BTreeMap;

use crate::converge::Step;
use crate::id::SiteId;

/// Steps that wait for their turn, and how many are being taken.
///
/// Of what the backend takes at a time, a quarter is kept from sites that are on their way up for the first time:
/// thousands of them don't hold up what mends a site that serves. They come up in the order in which they were
/// made: the first serve while the last have not begun, and what is scarce later on (instances) is not waited for
/// until all have what comes first (volumes). One that fails waits until all others have had their turn.
#[derive(Debug)]
pub(super) struct Turns {
    all: Room,
    new: Room,
    waiting: BTreeMap<(Rank, u64), Step>,
    came: u64,
}

#[derive(Debug)]
struct Room {
    of: usize,
    taken: usize,
}

impl Room {
    const fn is_left(&self) -> bool {
        self.taken < self.of
    }
}

/// Who comes first; in each rank whoever came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A site that was up before.
    Mends,
    /// A site on its way up for the first time. Ids ascend with the time at which they were given.
    New(SiteId),
    /// Such a one, the last step of which has failed.
    Fails,
}

impl Rank {
    const fn is_new(self) -> bool {
        !matches!(self, Self::Mends)
    }
}

impl Turns {
    pub(super) fn new(at_a_time: usize) -> Self {
        let for_new = (at_a_time - at_a_time / 4).max(1);
        let room = |of| Room { of, taken: 0 };
        Self { all: room(at_a_time), new: room(for_new), waiting: BTreeMap::new(), came: 0 }
    }

    pub(super) fn wait(&mut self, rank: Rank, step: Step) {
        self.came += 1;
        self.waiting.insert((rank, self.came), step);
    }

    /// The step that may be taken now; to be followed by [`Self::ended`].
    pub(super) fn take(&mut self) -> Option<(Rank, Step)> {
        let first = self.waiting.first_entry()?;
        let (rank, _) = *first.key();
        if !self.all.is_left() || (rank.is_new() && !self.new.is_left()) {
            return None;
        }
        self.all.taken += 1;
        self.new.taken += usize::from(rank.is_new());
        Some((rank, first.remove()))
    }

    /// A step of this rank has ended.
    pub(super) fn ended(&mut self, rank: Rank) {
        self.all.taken -= 1;
        self.new.taken -= usize::from(rank.is_new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::{Action, Part, StepReason};

    fn step(site: SiteId, n: u8) -> Step {
        let (part, action, why) = (Part::DatabaseVolume(n), Action::CreateVolume, StepReason::Missing);
        Step { site, generation: 1, epoch: 1, part, action, why }
    }

    fn all(turns: &mut Turns) -> Vec<(SiteId, Part)> {
        std::iter::from_fn(|| turns.take()).map(|(_, step)| (step.site, step.part)).collect()
    }

    #[test]
    fn what_mends_comes_first_then_the_oldest_and_what_fails_last() {
        let [a, b, c, d] = [(); 4].map(|()| SiteId::new());
        let mut turns = Turns::new(8);
        turns.wait(Rank::Fails, step(a, 0));
        turns.wait(Rank::New(c), step(c, 0));
        turns.wait(Rank::New(b), step(b, 1));
        turns.wait(Rank::New(b), step(b, 0));
        turns.wait(Rank::Mends, step(d, 0));
        let order = all(&mut turns).into_iter().map(|(site, part)| (site, part.to_string()));
        let volume = |site, n: u8| (site, Part::DatabaseVolume(n).to_string());
        assert_eq!(
            order.collect::<Vec<_>>(),
            [volume(d, 0), volume(b, 1), volume(b, 0), volume(c, 0), volume(a, 0)]
        );
    }

    #[test]
    fn a_quarter_is_kept_for_what_mends() {
        let (new, old) = (SiteId::new(), SiteId::new());
        let mut turns = Turns::new(4);
        for n in 0..4 {
            turns.wait(Rank::New(new), step(new, n));
        }
        assert_eq!(all(&mut turns).len(), 3);
        turns.wait(Rank::Mends, step(old, 0));
        turns.wait(Rank::Mends, step(old, 1));
        assert_eq!(all(&mut turns).len(), 1);
        turns.ended(Rank::New(new));
        assert_eq!(all(&mut turns), [(old, Part::DatabaseVolume(1))]);
        turns.ended(Rank::Mends);
        assert_eq!(all(&mut turns), [(new, Part::DatabaseVolume(3))]);
    }
}
