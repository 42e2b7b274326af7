//! Everything that "runs", as a value: no clock, no randomness, no I/O.

use std::collections::BTreeMap;

use super::place::Place;
use crate::converge::{
    Applied, BackendError, Coverage, Object, ObjectState, Observation, Part, Report, Scope, Step,
};
use crate::id::SiteId;

/// Sites made of parts that behave as `node/README.md` says. A value, so that a model checker can hold many.
///
/// Database nodes wait for orders, form a component, lose quorum, and keep positions and founding numbers on
/// their volumes. What must never happen to data is written down as it happens: [`World::breaches`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct World {
    places: BTreeMap<SiteId, Place>,
    dropped: Option<Law>,
}

/// What safety stands on. A world without one shows what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// A part has one name: a second of it can't be made.
    Names,
    /// Removal goes by an id that never comes again, not by the name.
    Ids,
    /// A database volume keeps the number of its founding.
    Markers,
    /// A plan that is older than what is there is refused.
    Fence,
}

impl World {
    /// The same world, in which this law no longer holds.
    #[must_use]
    pub fn without(mut self, law: Law) -> Self {
        self.dropped = Some(law);
        self
    }

    /// Takes a step as a backend does: idempotent, refusing what is older than what is there.
    ///
    /// # Errors
    ///
    /// `Conflict`, as [`crate::converge::Backend::apply`] says.
    pub fn apply(&mut self, step: &Step) -> Result<Applied, BackendError> {
        let dropped = self.dropped;
        self.place(step.site).take(step, true, dropped)
    }

    /// A step that was accepted long ago takes effect only now: nothing that came since refuses it.
    ///
    /// # Errors
    ///
    /// `Conflict`, where what it needs is not there or something is in its way.
    pub fn apply_late(&mut self, step: &Step) -> Result<Applied, BackendError> {
        let dropped = self.dropped;
        self.place(step.site).take(step, false, dropped)
    }

    /// Takes a step, and crashes half way: what it makes is left incomplete.
    ///
    /// # Errors
    ///
    /// As [`World::apply`].
    pub fn apply_half(&mut self, step: &Step) -> Result<(), BackendError> {
        let there = |world: &Self| world.object(step.site, step.part).map(|object| object.id.clone());
        let before = there(self);
        self.apply(step)?;
        if there(self).is_some_and(|id| before != Some(id))
            && !step.part.holds_data()
            && step.part != Part::Network
        {
            self.place(step.site).tear(step.part);
        }
        Ok(())
    }

    /// What a complete listing shows now. A world has no clock: when things ran is not in it.
    #[must_use]
    pub fn list(&self, scope: &Scope) -> Observation {
        let inside = |site: &SiteId| matches!(scope, Scope::Fleet) || *scope == Scope::Site(*site);
        let objects = self.objects().filter(|(site, _)| inside(site));
        let objects = objects.map(|(site, object)| (site, object.clone())).collect();
        Observation { coverage: Coverage::Complete, objects, runs: Vec::new() }
    }

    /// Everything that is there, in order.
    pub fn objects(&self) -> impl Iterator<Item = (SiteId, &Object)> {
        self.places
            .iter()
            .flat_map(|(site, place)| place.objects.values().map(|thing| (*site, &thing.object)))
    }

    /// Everything that is there of a site, in order.
    pub(super) fn objects_of(&self, site: SiteId) -> impl Iterator<Item = &Object> {
        self.places.get(&site).into_iter().flat_map(|place| place.objects.values().map(|thing| &thing.object))
    }

    /// One object.
    #[must_use]
    pub fn object(&self, site: SiteId, part: Part) -> Option<&Object> {
        Some(&self.places.get(&site)?.objects.get(&part)?.object)
    }

    /// Everything of a site goes one stage further. Returns whether anything changed.
    pub fn progress(&mut self, site: SiteId) -> bool {
        self.places.get_mut(&site).is_some_and(|place| place.progress(site))
    }

    /// What the running nodes of a site say.
    #[must_use]
    pub fn reports(&self, site: SiteId) -> Vec<Report> {
        self.places.get(&site).map(|place| place.reports(site).collect()).unwrap_or_default()
    }

    /// Visitors write to the site's database, if it takes writes.
    pub fn write(&mut self, site: SiteId) {
        self.place(site).write();
    }

    /// A visitor begins a request that takes long, at this node. Returns whether the gateway sends anybody there.
    pub fn visit(&mut self, site: SiteId, part: Part) -> bool {
        self.place(site).visit(part)
    }

    /// All requests of a site that take long come to their end. Returns whether there were any.
    pub fn leave(&mut self, site: SiteId) -> bool {
        self.place(site).leave_all()
    }

    /// Whether visitors wait at a node that, by what the gateway does, has not been left to them for long enough.
    pub(crate) fn is_awaited(&self, site: SiteId, part: Part) -> bool {
        self.places.get(&site).is_some_and(|place| place.is_awaited(part))
    }

    /// A node dies, as by SIGKILL. Returns whether it ran.
    pub fn kill(&mut self, site: SiteId, part: Part) -> bool {
        self.place(site).halt(part, ObjectState::Stopped)
    }

    /// A node's processes freeze. Returns whether it ran.
    pub fn freeze(&mut self, site: SiteId, part: Part) -> bool {
        self.place(site).halt(part, ObjectState::Frozen)
    }

    /// An object is taken away by somebody else. Returns whether it was there.
    pub fn vanish(&mut self, site: SiteId, part: Part) -> bool {
        self.place(site).vanish(part)
    }

    /// A node is changed by somebody else, so that its fingerprint can't be trusted. Returns whether it is there.
    pub fn edit(&mut self, site: SiteId, part: Part) -> bool {
        let thing = self.place(site).objects.get_mut(&part).filter(|_| part.is_node());
        thing.map(|thing| thing.object.fingerprint = None).is_some()
    }

    /// The database nodes of a site don't hear each other (`true`), or do again. Returns whether that changed
    /// anything.
    pub fn split(&mut self, site: SiteId, split: bool) -> bool {
        self.place(site).split(split)
    }

    /// Time passes for nodes that say how long something has lasted. Returns the sites of which a node has something
    /// else to say for it.
    pub fn elapse(&mut self, seconds: u32) -> Vec<SiteId> {
        let changed =
            self.places.iter_mut().filter_map(|(site, place)| place.elapse(seconds).then_some(*site));
        changed.collect()
    }

    /// Whether this database node takes writes.
    #[must_use]
    pub fn is_synced(&self, site: SiteId, n: u8) -> bool {
        self.places.get(&site).is_some_and(|place| place.is_synced(n))
    }

    /// Whether this WordPress node serves.
    #[must_use]
    pub fn serves(&self, site: SiteId, slot: u8) -> bool {
        let node = |place: &Place| place.node(Part::Wordpress(slot)).is_some_and(|node| node.up);
        self.places.get(&site).is_some_and(node)
    }

    /// The nodes that a site's gateway sends visitors to, with their releases as the nodes call them.
    pub fn routed(&self, site: SiteId) -> impl Iterator<Item = (Part, &str)> {
        self.places.get(&site).into_iter().flat_map(Place::routed)
    }

    /// What happened that must never happen to data.
    pub fn breaches(&self) -> impl Iterator<Item = (SiteId, &str)> {
        self.places
            .iter()
            .flat_map(|(site, place)| place.breaches.iter().map(|breach| (*site, breach.as_str())))
    }

    pub(super) fn place_of(&self, site: SiteId) -> Option<&Place> {
        self.places.get(&site)
    }

    pub(super) fn place(&mut self, site: SiteId) -> &mut Place {
        self.places.entry(site).or_default()
    }
}
