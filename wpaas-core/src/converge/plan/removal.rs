//! What goes: everything that runs when a site rests, everything of it when it is gone.

use super::{HoldReason, Pass};
use crate::converge::{Action, Coverage, ObjectState, Part, StepReason};

impl Pass<'_> {
    /// Nothing runs; volumes, releases, network and so the address are kept.
    pub(super) fn rest(&mut self) {
        let groups: [fn(Part) -> bool; 2] = [
            |part| matches!(part, Part::Gateway(_) | Part::Wordpress(_)),
            |part| matches!(part, Part::Database(_)),
        ];
        self.remove_first(&groups, StepReason::Rests);
    }

    /// Everything goes, what depends on others first.
    pub(super) fn gone(&mut self) {
        let groups: [fn(Part) -> bool; 4] = [
            |part| matches!(part, Part::Gateway(_) | Part::Wordpress(_)),
            |part| matches!(part, Part::Database(_)),
            |part| matches!(part, Part::Release(_) | Part::DatabaseVolume(_) | Part::UploadsVolume),
            |part| part == Part::Network,
        ];
        self.remove_first(&groups, StepReason::Gone);
    }

    /// Removes the first of these groups of which anything is left.
    fn remove_first(&mut self, groups: &[fn(Part) -> bool], why: StepReason) {
        for in_group in groups {
            let busy: Vec<_> = self.facts.busy.iter().copied().filter(|part| in_group(*part)).collect();
            for part in &busy {
                self.hold(*part, HoldReason::Busy);
            }
            let left: Vec<_> = self
                .facts
                .objects
                .iter()
                .filter(|object| in_group(object.part) && !busy.contains(&object.part))
                .collect();
            for object in &left {
                match object.state {
                    ObjectState::Removing => self.hold(object.part, HoldReason::Removing),
                    _ => self.step(object.part, Action::Remove { object: object.id.clone() }, why),
                }
            }
            if !left.is_empty() || !busy.is_empty() {
                return;
            }
            // What depends on the next group may be there, unseen.
            if self.facts.coverage != Coverage::Complete {
                self.hold(Part::Network, HoldReason::Unseen);
                return;
            }
        }
    }
}
