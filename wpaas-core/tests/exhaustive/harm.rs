//! What must not happen.

use wpaas_core::converge::simulated::World;
use wpaas_core::converge::trial::{Case, judge};
use wpaas_core::converge::{Action, Object, Part, Step};
use wpaas_core::id::SiteId;

use super::{Scopes, Server, State, facts, site};

/// Whether the step has made the part go or begin to go.
pub fn removes(before: &World, after: &World, step: &Step) -> bool {
    before.object(step.site, step.part) != after.object(step.site, step.part)
}

impl Scopes {
    /// S3, S4, S6, rules 5 and 6, and none of the database nodes that all specs want as they are.
    pub fn harm(&self, last: &State, step: &Step, informed: bool, fenced: bool) -> Option<String> {
        let (planned, wanted) = (self.wanted(step.generation), self.wanted(last.generation));
        let case = Case { site: step.site, planned: &planned, wanted: &wanted, informed, fenced };
        if let Err(harm) = judge(&last.world, step, &case) {
            return Some(harm);
        }
        let (Part::Database(n), Action::Remove { .. }, None) = (step.part, &step.action, &self.then) else {
            return None;
        };
        last.world.is_synced(step.site, n).then(|| format!("S3: {step}, and it was healthy"))
    }

    /// Whether the server knows all that is to be known.
    pub fn is_informed(state: &State, server: usize, n: usize) -> bool {
        let Server { generation, seen } = &state.servers[server];
        *generation == state.generation && seen[n].as_ref() == Some(&facts(&state.world, site(n)))
    }

    /// S5: what is of a site that nobody knows is as it was.
    pub fn is_left_alone(&self, world: &World) -> bool {
        let is_foreign = |(of, _): &(SiteId, &Object)| (0..self.sites).all(|n| site(n) != *of);
        world.objects().filter(is_foreign).eq(self.start.objects().filter(is_foreign))
    }
}
