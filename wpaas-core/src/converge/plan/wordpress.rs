//! WordPress nodes and the release that they serve. Slots have no identity: a change takes free slots and
//! then lets old ones go.

use smallvec::SmallVec;

use super::{HoldReason, Pass, apart};
use crate::converge::{
    Action, Coverage, Fingerprint, NodeReport, Object, ObjectState, Part, ReleaseRef, RouteState, Routes,
    RunIntent, Seen, StepReason,
};
use crate::node::{self, Purpose};

/// The nodes of a site, sorted by what becomes of them.
#[derive(Default)]
struct Slots<'a> {
    /// Of the wanted fingerprint.
    current: SmallVec<[(u8, &'a Object); SLOTS]>,
    /// Of another.
    old: SmallVec<[(u8, &'a Object); 4]>,
    /// A step is under way, or nobody knows.
    busy: SmallVec<[u8; SLOTS]>,
}

/// At least as many as there are.
const SLOTS: usize = 64;

/// What is served, and what nodes apart have.
fn releases(run: &RunIntent) -> impl Iterator<Item = ReleaseRef> {
    run.release.into_iter().chain(apart::releases(run))
}

impl<'a> Pass<'a> {
    pub(super) fn releases(&mut self, run: &RunIntent) {
        for (n, release) in releases(run).enumerate() {
            if let (ReleaseRef::Stored { digest, layout }, Some(part)) = (release, release.part())
                && !releases(run).take(n).any(|before| before.part() == Some(part))
            {
                self.make(part, Action::CreateRelease { digest, layout });
            }
        }
    }

    /// Adds where the gateway is to send visitors to the ways to the database and the names that other nodes have.
    pub(super) fn wordpress(&mut self, run: &RunIntent, routes: &mut Routes<'_>) {
        let Some(site) = self.wordpress_spec(run) else {
            return self.keep_all(routes);
        };
        let slots = self.slots(site.fingerprint);
        self.mend(&slots.current);
        self.fill(run, &site, &slots, routes);
        self.retire(run, &slots, routes);
        self.set_admin(run, &site, &slots);
    }

    /// The node to make; `None` with a hold while something that it needs is missing.
    fn wordpress_spec<'r>(&mut self, run: &'r RunIntent) -> Option<node::WordpressSite<'r>> {
        let Some(release) = run.release else {
            if apart::tried(run).is_none() {
                self.hold(Part::Wordpress(0), HoldReason::NoRelease);
            }
            return None;
        };
        let Some(url) = node::canonical_url(run, self.facts.address()) else {
            self.hold(Part::Wordpress(0), HoldReason::Needs(Part::Network));
            return None;
        };
        Some(node::WordpressSite::new(self.intent.site, run, Purpose::Visitors, release, url))
    }

    /// Without a spec nothing changes: what runs stays in service.
    fn keep_all(&self, routes: &mut Routes<'_>) {
        for object in &self.facts.objects {
            if object.part.serves_visitors() {
                routes.set(object.part, RouteState::Ready);
            }
        }
    }

    fn slots(&self, wanted: Fingerprint) -> Slots<'a> {
        let mut slots = Slots::default();
        for slot in self.used_slots() {
            match self.facts.seen(Part::Wordpress(slot)) {
                Seen::Absent => {}
                Seen::Unknown | Seen::Busy => slots.busy.push(slot),
                Seen::There(object) if object.fingerprint == Some(wanted) => {
                    slots.current.push((slot, object));
                }
                Seen::There(object) => slots.old.push((slot, object)),
            }
        }
        slots
    }

    /// The slots in which anything is or may be, in order.
    fn used_slots(&self) -> impl Iterator<Item = u8> + use<> {
        let parts =
            self.facts.objects.iter().map(|object| object.part).chain(self.facts.busy.iter().copied());
        let used = parts.fold(0u64, |used, part| match part {
            Part::Wordpress(slot) if slot < Part::APART_SLOTS => used | 1 << slot,
            _ => used,
        });
        let used = if self.facts.coverage == Coverage::Complete { used } else { u64::MAX };
        (0..Part::APART_SLOTS).filter(move |slot| used & (1 << slot) != 0)
    }

    /// Starts or replaces current nodes that do not run.
    fn mend(&mut self, current: &[(u8, &Object)]) {
        for (slot, object) in current {
            if self.mend_node(Part::Wordpress(*slot), object) {
                self.wordpress_trouble(Part::Wordpress(*slot));
            }
        }
    }

    /// Starts or replaces a node that does not run, or is given up. Returns whether it runs and stays.
    pub(super) fn mend_node(&mut self, part: Part, object: &Object) -> bool {
        let id = || object.id.clone();
        match object.state {
            ObjectState::Incomplete | ObjectState::Broken => {
                self.step(part, Action::Remove { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Stopped | ObjectState::Frozen => {
                self.step(part, Action::StartNode { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Removing => self.hold(part, HoldReason::Removing),
            ObjectState::Ready if self.is_given_up(part) => {
                self.step(part, Action::Remove { object: id() }, StepReason::Silent);
            }
            ObjectState::Ready => return true,
        }
        false
    }

    pub(super) fn wordpress_trouble(&mut self, part: Part) {
        let reason = match self.facts.report(part).map(|report| &report.node) {
            None => Some(HoldReason::Silent),
            Some(NodeReport::Wordpress(report)) => match (&report.error, self.facts.serving(part)) {
                (Some(error), _) => Some(HoldReason::Says(error.clone())),
                (None, Some(true)) => None,
                (None, _) => Some(HoldReason::Starting),
            },
            Some(_) => None,
        };
        if let Some(reason) = reason {
            self.hold(part, reason);
        }
    }

    /// Makes the nodes that are missing, in the lowest free slots.
    fn fill(
        &mut self,
        run: &RunIntent,
        site: &node::WordpressSite<'_>,
        slots: &Slots<'_>,
        routes: &mut Routes<'_>,
    ) {
        for (slot, _) in &slots.current {
            routes.set(Part::Wordpress(*slot), RouteState::Ready);
        }
        for slot in &slots.busy {
            self.busy_slot(*slot, routes);
        }
        let wanted = usize::from(run.wordpress);
        let made = slots.current.len() + slots.busy.len();
        let free =
            (0..Part::APART_SLOTS).filter(|slot| self.facts.seen(Part::Wordpress(*slot)) == Seen::Absent);
        let taken: Vec<_> = free.take(wanted.saturating_sub(made)).collect();
        for slot in &taken {
            self.create_wordpress(*slot, site, routes);
        }
        if made + taken.len() < wanted {
            self.hold(Part::Wordpress(Part::APART_SLOTS - 1), HoldReason::NoSlot);
        }
    }

    fn busy_slot(&mut self, slot: u8, routes: &mut Routes<'_>) {
        let part = Part::Wordpress(slot);
        if self.facts.busy.contains(&part) {
            let goes = self.facts.object(part).is_some_and(|node| node.state == ObjectState::Removing);
            routes.set(part, if goes { RouteState::Drain } else { RouteState::Ready });
            self.hold(part, HoldReason::Busy);
        }
    }

    fn create_wordpress(&mut self, slot: u8, site: &node::WordpressSite<'_>, routes: &mut Routes<'_>) {
        self.create_wordpress_node(slot, site);
        routes.set(Part::Wordpress(slot), RouteState::Ready);
    }

    pub(super) fn create_wordpress_node(&mut self, slot: u8, site: &node::WordpressSite<'_>) {
        let part = Part::Wordpress(slot);
        match self.missing(site.needs()) {
            Some(need) => self.hold(part, HoldReason::Needs(need)),
            None if !self.has_database() => self.hold(part, HoldReason::Needs(Part::Database(0))),
            None => self.step(part, Action::CreateNode(site.spec(slot)), StepReason::Missing),
        }
    }

    /// Lets nodes go that are outdated or too many. Rule 3: only while the wanted number serves without them,
    /// the gateway sends nobody to them any more, and they have ended what they had.
    fn retire(&mut self, run: &RunIntent, slots: &Slots<'_>, routes: &mut Routes<'_>) {
        let wanted = usize::from(run.wordpress);
        let serves = |slot: &u8| self.facts.serving(Part::Wordpress(*slot)) == Some(true);
        let (mut stay, mut leave) = (SmallVec::<[u8; SLOTS]>::new(), SmallVec::<[u8; SLOTS]>::new());
        let mut current: SmallVec<[u8; SLOTS]> = slots.current.iter().map(|(slot, _)| *slot).collect();
        current.sort_unstable_by_key(|slot| (!serves(slot), *slot));
        for slot in current {
            if stay.len() < wanted { stay.push(slot) } else { leave.push(slot) }
        }
        let surplus = leave.len();
        leave.extend(slots.old.iter().map(|(slot, _)| *slot));
        let enough = stay.iter().filter(|slot| serves(slot)).count() >= wanted;
        let leaving: Vec<_> = leave.iter().map(|slot| self.leaver(*slot, enough, routes)).collect();
        if leaving.is_empty() {
            return;
        }
        let drained = self.gateway_follows(run, routes);
        for (n, leaver) in leaving.into_iter().enumerate() {
            let Some((part, object, at_once)) = leaver else {
                // Of those that are too many, this is said already.
                if n >= surplus {
                    self.hold(Part::Wordpress(leave[n]), HoldReason::Removing);
                }
                continue;
            };
            match self.facts.left(part) {
                _ if !(at_once || enough && drained) => self.hold(part, HoldReason::Serving),
                left if left > 0 && !at_once => self.hold(part, HoldReason::Draining(left)),
                _ => {
                    let why = if n < surplus { StepReason::TooMany } else { StepReason::Outdated };
                    self.step(part, Action::Remove { object }, why);
                }
            }
        }
    }

    /// A node that is to go, and whether nobody would notice.
    fn leaver(
        &self,
        slot: u8,
        enough: bool,
        routes: &mut Routes<'_>,
    ) -> Option<(Part, crate::converge::ObjectId, bool)> {
        let part = Part::Wordpress(slot);
        let Seen::There(object) = self.facts.seen(part) else { return None };
        let idle = object.state != ObjectState::Ready || self.facts.serving(part) == Some(false);
        routes.set(part, if enough || idle { RouteState::Drain } else { RouteState::Ready });
        (object.state != ObjectState::Removing).then(|| (part, object.id.clone(), idle))
    }

    /// Gives the admin's new password to nodes that serve with an older one.
    fn set_admin(&mut self, run: &RunIntent, site: &node::WordpressSite<'_>, slots: &Slots<'_>) {
        for (slot, object) in &slots.current {
            let part = Part::Wordpress(*slot);
            let Some(NodeReport::Wordpress(report)) = self.facts.report(part).map(|report| &report.node)
            else {
                continue;
            };
            let outdated = report.admin_version < run.admin_version;
            if outdated && self.facts.serving(part) == Some(true) {
                let action = Action::Configure { object: object.id.clone(), files: site.live_files() };
                self.tell(part, action, StepReason::AdminPassword);
            }
        }
    }

    /// Removes releases that no node uses. While a node is there that is on its way out, its release can't be told.
    pub(super) fn unused_releases(&mut self, run: &RunIntent) {
        let unused = |object: &&Object| {
            matches!(object.part, Part::Release(_))
                && !releases(run).any(|release| release.part() == Some(object.part))
                && !self.facts.busy.contains(&object.part)
        };
        let unused: Vec<_> = self.facts.objects.iter().filter(unused).collect();
        if unused.is_empty() || !self.is_wordpress_settled(run) {
            return;
        }
        for object in unused {
            self.step(object.part, Action::Remove { object: object.id.clone() }, StepReason::Unused);
        }
    }

    /// Whether every WordPress node that is there is one that may be.
    fn is_wordpress_settled(&self, run: &RunIntent) -> bool {
        let is_node = |part: &Part| matches!(part, Part::Wordpress(_));
        let specs = self.wordpress_specs(run);
        let settled = |object: &Object| specs.iter().any(|spec| object.fingerprint == Some(spec.fingerprint));
        !self.facts.busy.iter().any(is_node)
            && self.facts.objects.iter().filter(|object| is_node(&object.part)).all(settled)
    }

    /// Every WordPress node that may be there.
    fn wordpress_specs<'r>(&self, run: &'r RunIntent) -> Vec<node::WordpressSite<'r>> {
        let Some(url) = node::canonical_url(run, self.facts.address()) else { return Vec::new() };
        let main = run.release.map(|release| (Purpose::Visitors, release));
        let specs =
            main.into_iter().chain(apart::wanted(run).map(|(purpose, release, _)| (purpose, release)));
        let spec =
            |(purpose, release)| node::WordpressSite::new(self.intent.site, run, purpose, release, url);
        specs.map(spec).collect()
    }
}
