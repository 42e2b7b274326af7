//! Everything of one site that "runs".

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::galera::Component;
use super::thing::Thing;
use super::world::Law;
use crate::converge::{
    Action, Applied, BackendError, Draining, Entry, ErrorClass, NodeSpec, Object, ObjectId, ObjectState,
    Part, Step,
};
use crate::id::SiteId;

/// A release whose digest begins with this byte can't be made here, ever: its archive is bad.
pub const BAD_RELEASE: u8 = 0xbb;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) objects: BTreeMap<Part, Thing>,
    pub(super) component: Option<Component>,
    /// Numbers of foundings that happened.
    pub(super) foundings: BTreeSet<u64>,
    /// The version of admin's password that the database holds.
    pub(super) tables: u64,
    /// How many of each part were ever made: an id never comes again.
    made: BTreeMap<Part, u32>,
    pub(super) breaches: Vec<String>,
}

impl Place {
    /// Takes a step as a backend does. `fenced` says whether what is newer refuses it: what was accepted
    /// long ago and takes effect late is past that check.
    pub(super) fn take(
        &mut self,
        step: &Step,
        fenced: bool,
        dropped: Option<Law>,
    ) -> Result<Applied, BackendError> {
        if let Some(law) = dropped {
            self.lawless(step, law);
        }
        let fenced = fenced && dropped != Some(Law::Fence);
        if fenced && self.objects.values().any(|thing| thing.is_newer_than(step)) {
            return Err(conflict(step, "a part of the site is newer than this plan"));
        }
        match &step.action {
            Action::CreateRelease { digest, .. } if digest.prefix()[0] == BAD_RELEASE => {
                Err(BackendError::new(ErrorClass::Permanent, format!("{}: the archive is bad", step.part)))
            }
            Action::CreateNetwork | Action::CreateVolume | Action::CreateRelease { .. } => {
                Ok(self.create(step))
            }
            Action::CreateNode(spec) => self.create_node(step, spec),
            Action::StartNode { object } => self.start(step, object),
            Action::Order { object, boot, order } => {
                let Part::Database(n) = self.running(step, object)?.object.part else {
                    return Err(conflict(step, "only database nodes take orders"));
                };
                self.order(step.site, n, boot, *order);
                Ok(Applied::Told)
            }
            Action::Configure { object, files } => {
                self.running(step, object)?.give(files);
                Ok(Applied::Told)
            }
            Action::Lead { .. } => Err(conflict(step, "the address leads to the one gateway for good")),
            Action::Remove { object: _ } if dropped == Some(Law::Ids) => match self.objects.get(&step.part) {
                Some(there) => self.remove(step, &there.object.id.clone()),
                None => Ok(Applied::Absent),
            },
            Action::Remove { object } => self.remove(step, object),
        }
    }

    /// What a step does where a law no longer holds.
    fn lawless(&mut self, step: &Step, law: Law) {
        let creates = matches!(
            step.action,
            Action::CreateNetwork
                | Action::CreateVolume
                | Action::CreateRelease { .. }
                | Action::CreateNode(_)
        );
        if law == Law::Names && creates && self.is_whole(step.part) {
            self.breach(format!("S2: a second {} is made", step.part));
        }
        if law == Law::Markers {
            for thing in self.objects.values_mut() {
                thing.founding = 0;
            }
        }
    }

    fn create(&mut self, step: &Step) -> Applied {
        if let Some(there) = self.objects.get_mut(&step.part) {
            if there.object.state == ObjectState::Incomplete {
                there.object.state = ObjectState::Ready;
            }
            return Applied::Present(there.object.clone());
        }
        let object = self.object(step);
        self.objects.insert(step.part, Thing::new(object.clone(), None));
        Applied::Present(object)
    }

    fn create_node(&mut self, step: &Step, spec: &NodeSpec) -> Result<Applied, BackendError> {
        if let Some(there) = self.objects.get(&step.part) {
            if there.is(Some(spec.fingerprint)) {
                return Ok(Applied::Present(there.object.clone()));
            }
            if there.object.state != ObjectState::Incomplete {
                return Err(conflict(step, "another node is there"));
            }
        }
        let needs = spec.mounts.iter().map(|mount| mount.part).chain([Part::Network]);
        if let Some(missing) = needs.into_iter().find(|part| !self.is_whole(*part)) {
            return Err(conflict(step, &format!("{missing} is not there")));
        }
        if let Some(volume) = &spec.founds
            && self.find(Part::DatabaseVolume(0), volume).is_none()
        {
            return Err(conflict(step, "its volume is another than it was made for"));
        }
        let mut object = self.object(step);
        object.fingerprint = Some(spec.fingerprint);
        let mut node = Thing::new(object.clone(), Some(spec.clone()));
        node.boot();
        self.objects.insert(step.part, node);
        Ok(Applied::Present(object))
    }

    fn is_whole(&self, part: Part) -> bool {
        self.objects.get(&part).is_some_and(|thing| thing.object.state == ObjectState::Ready)
    }

    fn start(&mut self, step: &Step, id: &ObjectId) -> Result<Applied, BackendError> {
        let thing = self.find(step.part, id).ok_or_else(|| conflict(step, "it is gone"))?;
        match thing.object.state {
            ObjectState::Ready => {}
            ObjectState::Stopped | ObjectState::Frozen => thing.boot(),
            ObjectState::Incomplete | ObjectState::Removing | ObjectState::Broken => {
                return Err(conflict(step, "it is not whole"));
            }
        }
        Ok(Applied::Present(thing.object.clone()))
    }

    /// A node that runs is asked to stop and goes when it has; anything else goes at once.
    fn remove(&mut self, step: &Step, id: &ObjectId) -> Result<Applied, BackendError> {
        let Some(thing) = self.find(step.part, id) else { return Ok(Applied::Absent) };
        if thing.runs() {
            thing.halt(ObjectState::Removing);
            let object = thing.object.clone();
            self.hang_up(step.part);
            if let Part::Database(n) = step.part {
                self.leave(n, true);
            }
            return Ok(Applied::Present(object));
        }
        let in_use = self.objects.values().any(|node| node.mounts(step.part));
        if in_use || (step.part == Part::Network && self.objects.keys().any(|part| part.is_node())) {
            return Err(conflict(step, "it is in use"));
        }
        if let Part::Database(n) = step.part {
            self.leave(n, false);
        }
        self.objects.remove(&step.part);
        self.forget_foundings();
        Ok(Applied::Absent)
    }

    fn find(&mut self, part: Part, id: &ObjectId) -> Option<&mut Thing> {
        self.objects.get_mut(&part).filter(|thing| thing.object.id == *id)
    }

    fn running(&mut self, step: &Step, id: &ObjectId) -> Result<&mut Thing, BackendError> {
        self.find(step.part, id).filter(|thing| thing.runs()).ok_or_else(|| conflict(step, "it does not run"))
    }

    fn object(&mut self, step: &Step) -> Object {
        let made = self.made.entry(step.part).or_default();
        *made += 1;
        let [.., last] = step.site.uuid().into_bytes();
        // 192.0.2.0/24 is kept for documentation (RFC 5737): nothing answers there.
        let address = Ipv4Addr::new(192, 0, 2, last.wrapping_add(made.to_le_bytes()[0]));
        Object {
            part: step.part,
            id: ObjectId::new(&format!("{}-{made}", step.part)),
            fingerprint: None,
            generation: step.generation,
            epoch: step.epoch,
            state: ObjectState::Ready,
            entry: (step.part == Part::Network).then(|| Box::new(Entry::at(IpAddr::V4(address)))),
        }
    }

    pub(super) fn node(&self, part: Part) -> Option<&Thing> {
        self.objects.get(&part).filter(|thing| thing.runs())
    }

    pub(super) fn breach(&mut self, what: String) {
        self.breaches.push(what);
    }

    /// Everything goes one stage further. Returns whether anything changed.
    pub(super) fn progress(&mut self, site: SiteId) -> bool {
        let before = self.objects.len();
        self.objects.retain(|_, thing| thing.object.state != ObjectState::Removing);
        let mut changed = self.objects.len() < before;
        changed |= self.progress_databases(site);
        changed |= self.progress_wordpress();
        for (part, thing) in &mut self.objects {
            if matches!(part, Part::Gateway(_)) && thing.runs() {
                let wanted = thing.value("routes", "revision").map(str::to_owned);
                changed |= thing.follows != wanted;
                thing.follows = wanted;
                thing.drain();
            }
        }
        changed
    }

    /// Nodes that reach a database install it, set admin's password, and serve.
    fn progress_wordpress(&mut self) -> bool {
        if !self.has_database() || self.node(Part::Gateway(0)).is_none() {
            return false;
        }
        let (mut changed, mut admin) = (false, self.tables);
        for (part, thing) in &mut self.objects {
            if matches!(part, Part::Wordpress(_)) && thing.runs() {
                // What does not load never serves, whoever made it.
                if thing.is_bad() {
                    changed |= !thing.refused;
                    thing.refused = true;
                    continue;
                }
                changed |= !thing.up;
                thing.up = true;
                let wanted = thing.value("wordpress.conf", "admin_version").and_then(|n| n.parse().ok());
                admin = admin.max(wanted.unwrap_or(0));
            }
        }
        changed |= self.tables != admin;
        self.tables = admin;
        changed
    }

    /// Somebody begins a request that takes long, if the gateway sends anybody to this node. Returns whether it does.
    pub(super) fn visit(&mut self, part: Part) -> bool {
        let sent = self.routed().any(|(to, _)| to == part) && self.node(part).is_some_and(|node| node.up);
        let node = self.objects.get_mut(&part).filter(|_| sent);
        node.map(|node| node.requests += 1).is_some()
    }

    /// With a gateway all that goes through it ends.
    fn hang_up(&mut self, part: Part) {
        if matches!(part, Part::Gateway(_)) {
            self.leave_all();
        }
    }

    /// Whether it has requests, and has not had nothing new for as long as a drain may take.
    pub(super) fn is_awaited(&self, part: Part) -> bool {
        let gateway = self.node(Part::Gateway(0));
        let drained = gateway.and_then(|gateway| gateway.drained.get(&part).copied()).unwrap_or(0);
        drained < Draining::LONGEST && self.node(part).is_some_and(|node| node.requests > 0)
    }

    /// All requests come to their end.
    pub(super) fn leave_all(&mut self) -> bool {
        let nodes = self.objects.values_mut();
        nodes.map(|node| std::mem::take(&mut node.requests)).sum::<u32>() > 0
    }

    /// Time passes. Returns whether a gateway has something else to say for it.
    pub(super) fn elapse_drains(&mut self, seconds: u32) -> bool {
        let mut changed = false;
        for seen in self.objects.values_mut().flat_map(|thing| thing.drained.values_mut()) {
            // Beyond that nobody cares, and a model checker's states stay few.
            let later = seen.saturating_add(seconds).min(Draining::LONGEST);
            changed |= std::mem::replace(seen, later) != later;
        }
        changed
    }

    /// The nodes that the gateway sends the site's visitors to, by the routes that it follows, with their releases.
    pub(super) fn routed(&self) -> impl Iterator<Item = (Part, &str)> {
        let gateway = self.node(Part::Gateway(0)).filter(|gateway| gateway.follows.is_some());
        let routes = gateway.and_then(|gateway| gateway.text("routes")).unwrap_or_default();
        let servers = routes.lines().filter_map(|line| line.split_once('=').filter(|(_, to)| *to == "ready"));
        servers.filter_map(|(server, _)| {
            let part: Part = server.parse().ok()?;
            Some((part, self.node(part)?.value("wordpress.conf", "release")?))
        })
    }

    /// A node's processes end, as by SIGKILL, or freeze.
    pub(super) fn halt(&mut self, part: Part, state: ObjectState) -> bool {
        if self.node(part).is_none() {
            return false;
        }
        self.hang_up(part);
        match (part, self.objects.get_mut(&part)) {
            (Part::Database(n), _) => self.stop_database(n, state),
            (_, Some(thing)) => thing.halt(state),
            (_, None) => {}
        }
        true
    }

    /// Somebody takes an object away; nodes that need it can't become whole again.
    pub(super) fn vanish(&mut self, part: Part) -> bool {
        if let Part::Database(n) = part {
            self.stop_database(n, ObjectState::Broken);
        }
        if self.objects.remove(&part).is_none() {
            return false;
        }
        self.hang_up(part);
        let needs = |thing: &Thing| thing.spec.is_some() && (part == Part::Network || thing.mounts(part));
        let cut: Vec<Part> =
            self.objects.values().filter(|t| needs(t)).map(|thing| thing.object.part).collect();
        for part in cut {
            match part {
                Part::Database(n) => self.stop_database(n, ObjectState::Broken),
                _ => drop(self.objects.get_mut(&part).map(|thing| thing.halt(ObjectState::Broken))),
            }
        }
        self.forget_foundings();
        true
    }

    /// Leaves what a step has just made half made.
    pub(super) fn tear(&mut self, part: Part) {
        if let Some(thing) = self.objects.get_mut(&part) {
            thing.halt(ObjectState::Incomplete);
        }
    }
}

fn conflict(step: &Step, why: &str) -> BackendError {
    BackendError::new(ErrorClass::Conflict, format!("{}: {why}", step.part))
}
