//! Database nodes. A node only obeys; every founding, joining and leaving is decided here.

use super::{HoldReason, Pass};
use crate::converge::{
    Action, BootId, DatabasePhase, DatabaseReport, Fingerprint, NodeReport, NodeSpec, Object, ObjectId,
    ObjectState, Part, RouteState, Routes, RunIntent, Seen, Step, StepReason, Wanted,
};
use crate::node;

mod membership;

/// A database node that runs and has reported.
struct Member<'a> {
    n: u8,
    object: &'a Object,
    boot: &'a BootId,
    report: &'a DatabaseReport,
}

/// Why a node goes that was not wanted as it is.
const fn leaves(outdated: bool) -> StepReason {
    if outdated { StepReason::Outdated } else { StepReason::TooMany }
}

/// A running node that is to be stopped, as nothing forbids it.
pub(super) struct Leaver {
    part: Part,
    object: ObjectId,
    why: StepReason,
    /// Whether the gateway has to stop using it first, since there is another that it can use.
    drain: bool,
}

impl Pass<'_> {
    /// Returns the node that is to go next; [`Pass::let_go`] does that, once the gateway does without it.
    pub(super) fn databases(&mut self, run: &RunIntent) -> Option<Leaver> {
        let wanted = run.database.nodes();
        let last = self.last_database().unwrap_or(0).max(wanted - 1);
        let fingerprint = node::database_fingerprint(self.intent.site);
        let mut old = Vec::new();
        for n in 0..=last {
            if n < wanted {
                self.make(Part::DatabaseVolume(n), Action::CreateVolume);
            }
            if self.database_node(n, wanted, fingerprint) {
                old.push(n);
            }
        }
        self.membership(last);
        self.left_volumes(wanted, last);
        self.next_to_go(wanted, &old)
    }

    /// Which database nodes the gateway may use: those that are too many, too, until their turn to go comes.
    pub(super) fn database_routes<'r>(&self, run: &RunIntent, leaver: Option<&Leaver>) -> Routes<'r> {
        let mut routes = Routes::default();
        for n in 0..=self.last_database().unwrap_or(0).max(run.database.nodes() - 1) {
            let part = Part::Database(n);
            let removing = self.facts.object(part).is_some_and(|node| node.state == ObjectState::Removing);
            let serves = self.members().any(|member| member.n == n && member.report.takes_writes());
            if removing || leaver.is_some_and(|leaver| leaver.part == part && leaver.drain) {
                routes.set(part, RouteState::Drain);
            } else if n < run.database.nodes() || serves {
                routes.set(part, RouteState::Ready);
            }
        }
        routes
    }

    /// Stops the node that is to go, once the gateway sends nobody there and WordPress has closed its connections.
    pub(super) fn let_go(&mut self, run: &RunIntent, leaver: Option<Leaver>, routes: &Routes<'_>) {
        let Some(Leaver { part, object, why, drain }) = leaver else { return };
        match self.facts.left(part) {
            _ if drain && !self.gateway_follows(run, routes) => self.hold(part, HoldReason::Serving),
            left if left > 0 => self.hold(part, HoldReason::Draining(left)),
            _ => self.step(part, Action::Remove { object }, why),
        }
    }

    /// Whether any database node is made. A database has the longest way to the first page, so its first node shares the
    /// machine with the start of no other but the gateway, through which it is reached.
    pub(super) fn has_database(&self) -> bool {
        self.facts.objects.iter().any(|object| matches!(object.part, Part::Database(_)))
    }

    /// The highest number of a database node of which anything is there.
    fn last_database(&self) -> Option<u8> {
        let number = |part| match part {
            Part::DatabaseVolume(n) | Part::Database(n) => Some(n),
            _ => None,
        };
        self.facts.objects.iter().filter_map(|object| number(object.part)).max()
    }

    /// Makes, starts or replaces one node; whether it then founds or joins is not decided here. Returns whether it
    /// runs and is not to stay as it is, be it that it is given up.
    fn database_node(&mut self, n: u8, wanted: u8, fingerprint: Fingerprint) -> bool {
        let (part, volume) = (Part::Database(n), Part::DatabaseVolume(n));
        match self.facts.seen(part) {
            Seen::Busy => self.hold(part, HoldReason::Busy),
            Seen::Unknown => self.hold(part, HoldReason::Unseen),
            // A leaver that is gone stays gone, unless its data may be needed for a founding.
            Seen::Absent if n >= wanted && (self.primary_exists() || self.facts.ready(volume).is_none()) => {}
            Seen::Absent => {
                if let Some(need) = self.missing([Part::Network, volume]) {
                    self.hold(part, HoldReason::Needs(need));
                } else {
                    let spec = node::database(self.intent.site, n);
                    let spec = NodeSpec { founds: self.new_volume(), ..spec };
                    self.step(part, Action::CreateNode(spec), StepReason::Missing);
                }
            }
            Seen::There(object) => {
                let outdated = object.fingerprint != Some(fingerprint);
                return self.existing_database(n, object, outdated, wanted);
            }
        }
        false
    }

    /// The volume of a new database of one node, which founds it when it starts: there never was another, so that if
    /// nothing is on this one, nothing is anywhere.
    fn new_volume(&self) -> Option<ObjectId> {
        let Wanted::Run(run) = &self.intent.wanted else { return None };
        let is_new = !run.was_founded && self.is_alone(run.database.nodes());
        self.facts.ready(Part::DatabaseVolume(0)).filter(|_| is_new).map(|volume| volume.id.clone())
    }

    fn existing_database(&mut self, n: u8, object: &Object, outdated: bool, wanted: u8) -> bool {
        let part = Part::Database(n);
        let id = || object.id.clone();
        match object.state {
            ObjectState::Removing => self.hold(part, HoldReason::Removing),
            ObjectState::Incomplete | ObjectState::Broken => {
                self.step(part, Action::Remove { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Stopped if outdated || (n >= wanted && self.primary_exists()) => {
                self.step(part, Action::Remove { object: id() }, leaves(outdated));
            }
            ObjectState::Stopped | ObjectState::Frozen => {
                self.step(part, Action::StartNode { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Ready if self.lost_its_volume(n) => {
                self.step(part, Action::Remove { object: id() }, StepReason::LostVolume);
            }
            ObjectState::Ready => return outdated || n >= wanted || self.is_given_up(part),
        }
        false
    }

    /// A node whose volume is surely gone holds nothing any more.
    fn lost_its_volume(&self, n: u8) -> bool {
        self.facts.seen(Part::DatabaseVolume(n)) == Seen::Absent
            && !self.members().any(|member| member.n == n && member.report.is_synced())
    }

    /// Of the running nodes that are outdated, too many or given up, the one that may go now: the highest, since the
    /// gateway as a rule uses the lowest, and so changes to another but once.
    fn next_to_go(&mut self, wanted: u8, old: &[u8]) -> Option<Leaver> {
        let mut next = None;
        for n in old.iter().rev().copied().filter(|n| !self.has_step(Part::Database(*n))).collect::<Vec<_>>()
        {
            let part = Part::Database(n);
            match self.facts.ready(part) {
                Some(object) if next.is_none() && self.may_stop(n, wanted) => {
                    // Who is given up is in no use, as the gateway says; who just has not said may be.
                    let given_up = self.is_given_up(part);
                    let drain = !given_up
                        && !self.is_alone(wanted)
                        && self.member(n).is_none_or(|member| member.report.takes_writes());
                    let why = if n < wanted && given_up { StepReason::Silent } else { leaves(n < wanted) };
                    next = Some(Leaver { part, object: object.id.clone(), why, drain });
                }
                _ => self.hold(part, HoldReason::Quorum),
            }
        }
        next
    }

    /// Rule 2: enough others are Synced, or there is only this one, or it is surely in no component: it says so, or was
    /// never heard and so has no order. One that is too many goes once all that stay are Synced.
    fn may_stop(&self, n: u8, wanted: u8) -> bool {
        if self.somebody_leaves(n) {
            return false;
        }
        if n >= wanted {
            return self.all_synced(wanted);
        }
        let others = self.members().filter(|member| member.n != n && member.report.is_synced()).count();
        let out =
            |report: &DatabaseReport| report.phase == DatabasePhase::Waiting || report.lost_for.is_some();
        let own = self.member(n);
        let unheard = self.facts.silent(Part::Database(n)).is_some_and(|silent| !silent.was_heard);
        self.is_alone(wanted)
            || unheard
            || own.is_some_and(|member| out(member.report))
            || others > usize::from(wanted) / 2
    }

    /// Whether another node is on its way out, or may be, as a step for it is under way: two that leave at once can split
    /// a component.
    fn somebody_leaves(&self, n: u8) -> bool {
        let another = |part| matches!(part, Part::Database(other) if other != n);
        let removed = |step: &Step| matches!(step.action, Action::Remove { .. }) && another(step.part);
        let leaves = |object: &Object| object.state == ObjectState::Removing && another(object.part);
        let under_way = |part: &Part| another(*part) && self.facts.runs(*part);
        self.plan.steps.iter().any(removed)
            || self.facts.objects.iter().any(leaves)
            || self.facts.busy.iter().any(under_way)
    }

    /// Whether the site has, and wants, one database node.
    fn is_alone(&self, wanted: u8) -> bool {
        wanted == 1 && self.last_database() == Some(0)
    }

    fn all_synced(&self, wanted: u8) -> bool {
        (0..wanted).all(|n| self.member(n).is_some_and(|member| member.report.is_synced()))
    }

    fn has_step(&self, part: Part) -> bool {
        self.plan.steps.iter().any(|step| step.part == part)
    }

    fn member(&self, n: u8) -> Option<Member<'_>> {
        self.members().find(|member| member.n == n)
    }

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.facts.objects.iter().filter_map(|object| {
            let Part::Database(n) = object.part else { return None };
            let report = self.facts.report(object.part)?;
            let NodeReport::Database(database) = &report.node else { return None };
            Some(Member { n, object, boot: &report.boot, report: database })
        })
    }

    /// Whether a component that can take joiners is there.
    fn primary_exists(&self) -> bool {
        self.members().any(|member| member.report.takes_writes())
    }

    /// Removes the volumes of nodes that have left, once those that stay are Synced: what a leaver held, they hold,
    /// since every founding considers its volume and every component goes on from its founding.
    fn left_volumes(&mut self, wanted: u8, last: u8) {
        for n in (wanted..=last).rev().filter(|_| self.all_synced(wanted)).collect::<Vec<_>>() {
            let volume = Part::DatabaseVolume(n);
            if let (Seen::Absent, Seen::There(object)) =
                (self.facts.seen(Part::Database(n)), self.facts.seen(volume))
            {
                let object = object.id.clone();
                self.step(volume, Action::Remove { object }, StepReason::Unused);
            }
        }
    }
}
